#!/bin/sh
# The steps of a service's image, run by its Dockerfile. `plumbing` and `service` are copied to /build;
# the final stage copies from /image. It needs no installer, so its Dockerfile removes pip.
#
# build.sh dependencies     the pinned packages, slimmed, into /image/dependencies
# build.sh code NAME        the service as the package NAME, and plumbing, into /image/code
set -eu
cd /build

compile() {
    # Unchecked: the source is never read again. The paths are those of the final stage.
    python3 -m compileall -q --invalidation-mode unchecked-hash \
        -s "$1" -p "$LAMBDA_TASK_ROOT" "$1"
}

case "$1" in
dependencies)
    # A network with a certificate authority of its own passes that as the secret `ca`.
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
    pip install --no-cache-dir --no-compile --require-hashes \
        --requirement service/requirements.txt --target /image/dependencies
    # A quarter less work for a cold start, two thirds for the first event: docs/performance.md.
    python3 plumbing/image/slim.py /image/dependencies plumbing service
    compile /image/dependencies
    ;;
code)
    python3 plumbing/image/check.py plumbing service
    mkdir -p /image/code/plumbing "/image/code/$2"
    cp plumbing/*.py /image/code/plumbing/
    cp service/*.py "/image/code/$2/"
    compile /image/code
    ;;
esac
