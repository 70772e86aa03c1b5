"""Synthesize: `python -m infra`, as cdk.json and the harness call it."""

from aws_cdk import App

from infra.app import build_app

build_app(App()).synth()
