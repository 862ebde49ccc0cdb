#!/bin/sh
# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
# Run a command with ROS 2 and this package on its paths: scripts/ros_env.sh COMMAND [ARGUMENT...]
# Uses the sourced ROS 2 if there is one, else the environment that `make setup` made in .venv.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

if [ -n "${ROS_DISTRO:-}" ]; then
    prefix=$root/install
else
    prefix=$root/.venv
    export VIRTUAL_ENV="$prefix" PATH="$prefix/bin:$PATH" AMENT_PREFIX_PATH="$prefix"
fi
if [ ! -f "$prefix/local_setup.sh" ]; then
    echo "scripts/ros_env.sh: $prefix/local_setup.sh is missing; run \`make setup\` first" >&2
    exit 1
fi
# Nodes of other machines on the network stay out of a demo or test.
export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
if [ "${ROS_DISTRO:-}" = humble ]; then # which knows only the older name
    export ROS_LOCALHOST_ONLY="${ROS_LOCALHOST_ONLY:-1}"
fi

set +u # colcon's script reads variables that may be unset
COLCON_CURRENT_PREFIX=$prefix
. "$prefix/local_setup.sh"
exec "$@"
