import click

commands = click.Group("patients")
