"""Synthesize, as cdk.json and the harness call it: by this file, so that Python adds no folder."""

import sys
from pathlib import Path

from aws_cdk import App

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from infra.app import build_app  # the setting above has to come first

build_app(App()).synth()
