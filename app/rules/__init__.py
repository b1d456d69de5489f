"""Evaluators of rule tables: static/rules/*.json, read by the server and by the phone alike."""
