#!/bin/sh
# The entry point of a Lambda image: the runtime client, behind an emulated Runtime API when the
# platform gives none.
if [ $# -ne 1 ]; then
    echo "entrypoint requires the handler name to be the first argument" >&2
    exit 142
fi
export _HANDLER="$1"
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then
    exec /usr/local/bin/aws-lambda-rie /var/lang/bin/python -m awslambdaric "$1"
fi
exec /var/lang/bin/python -m awslambdaric "$1"
