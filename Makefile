# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
# Two ways to run: with a sourced ROS 2 (`source /opt/ros/jazzy/setup.bash`) everything below uses it;
# without, `make setup` builds .venv with ROS 2 from PyPI, Jazzy or (ROS=kilted) Kilted. See scripts/setup_ros.py.
.PHONY: help setup check quick test lint format demo docs figures site clean
.DEFAULT_GOAL := help

env := scripts/ros_env.sh
sources := hybrid_features_ros test scripts overlay launch examples setup.py

help:  ## List these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */  make \1\t/' | expand -t 16

setup:  ## Build the package (and, without a sourced ROS 2, the environment .venv; ROS=kilted takes Kilted)
	@python3 scripts/setup_ros.py

check: setup  ## Formatter, linter, types, and the tests that are neither about ROS nor slow: a minute
	@$(MAKE) --no-print-directory --jobs=2 --output-sync lint quick

test:  ## Formatter, linter, types, all tests, and a selection of them on the libraries that robots have
	@python3 scripts/setup_ros.py --train
	@$(MAKE) --no-print-directory lint
	@$(env) python3 -m pytest
	@$(env) python3 scripts/legs.py

quick:
	@$(env) python3 -m pytest -q -m "not ros and not slow"

lint:
	@$(env) ruff format --check $(sources)
	@$(env) ruff check $(sources)
	@$(env) mypy

format: setup  ## Format the sources and mend what the linter can mend
	@$(env) ruff check --fix $(sources)
	@$(env) ruff format $(sources)

demo:  ## Replay a sequence through the nodes and print its errors; DATA=PATH takes yours
	@python3 scripts/setup_ros.py --demo
	@$(env) python3 -m hybrid_features_ros.nodes.demo $(if $(DATA),--data "$(DATA)") --out results/demo

docs: setup  ## Write the reference pages and the tables of benchmarks anew
	@$(env) python3 -m hybrid_features_ros.nodes.reference .

figures: setup  ## Draw the figures of the documentation anew
	@$(env) python3 scripts/figures.py

site: setup  ## Build the documentation into results/site
	@NO_MKDOCS_2_WARNING=1 $(env) python3 -m mkdocs build --strict --quiet

clean:  ## Delete what `make setup` built
	rm -rf .venv build install log
