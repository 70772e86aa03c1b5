"""Synthesize, as cdk.json and the harness call it: by this file, so that Python adds no folder.

Called with an architecture it is for an emulator on a machine of that one.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from aws_cdk import App  # the setting above has to come first
from msgspec.structs import replace

from infra.app import build_app
from infra.deployment import Deployment, DeploymentError, read
from infra.service_stack import ARCHITECTURES

architecture = sys.argv[1:]
try:
    deployment = read(
        os.environ.get("SAGA_PREFIX") or Deployment().prefix, required=not architecture
    )
    if architecture:
        if architecture[0] not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise DeploymentError(f"architecture {architecture[0]} is none of {known}")
        deployment = replace(deployment, architecture=architecture[0], account=None, region=None)
    build_app(App(), deployment).synth()
except DeploymentError as error:
    sys.exit(str(error))
