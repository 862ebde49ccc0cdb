# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features in, odometry out."""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Odometry as OdometryMsg
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Imu
from std_msgs.msg import Header

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.expectation import Expectation
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import DescriptorFormat, Features, Float64, OdometryResult, State
from hybrid_features_ros.msg import FeatureArray
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.calibration import Calibration
from hybrid_features_ros.nodes.diagnostics import Report, Upstream, endpoints, explain_silence
from hybrid_features_ros.nodes.frames import FrameTree
from hybrid_features_ros.nodes.managed import OVERRIDABLE, ManagedNode
from hybrid_features_ros.nodes.odometry_publisher import ImageResult, OdometryPublisher
from hybrid_features_ros.nodes.picture import Picture
from hybrid_features_ros.nodes.priors import PRIOR_QOS, MotionPriors
from hybrid_features_ros.nodes.services import offer_services
from hybrid_features_ros.nodes.spin import spin
from hybrid_features_ros.nodes.stamps import Order, StampGate
from hybrid_features_ros.nodes.trajectory_log import TrajectoryLog
from hybrid_features_ros.nodes.worker import NewestWins
from hybrid_features_ros.odometry import Odometry

GYRO_QUEUE = 4000  # angular velocities that wait for their image: ten seconds at 400 Hz
Task = tuple[float, Header, Features | FeatureArray, Upstream]  # when an image came, and what it brought
SEVERITY = {
    State.DEGRADED: DiagnosticStatus.WARN,
    State.RECOVERING: DiagnosticStatus.WARN,
    State.WAITING: DiagnosticStatus.WARN,
    State.LOST: DiagnosticStatus.ERROR,
}


class OdometryNode(ManagedNode):
    """Estimate the camera's motion from features.

    Subscribes: ``features`` (FeatureArray), ``camera_info`` (``left/camera_info`` with ``input.stereo``),
    ``imu`` with ``input.imu``, ``prior`` with ``input.prior``. Publishes: ``odom``, TF, ``status``,
    ``/diagnostics``, and while somebody listens ``path``, ``matches``, ``relative_pose``, ``keyframes``,
    ``image_features``, ``match_markers``.
    Services: ``~/reset``, ``~/reset_to_pose``, ``~/pause``, ``~/resume``, ``~/save_trajectory``.

    Args:
        composed: the features come through :meth:`submit` instead of the topic.
    """

    def __init__(self, composed: bool = False, **options: Any) -> None:
        super().__init__("odometry_node", "odometry", "frames", "input", **options)
        self._composed = composed
        self._lock = threading.Lock()  # held by whoever uses the odometry
        self._worker: NewestWins[Task] | None = None
        self._subscriptions_made: list[Any] = []
        self._gyro: deque[Imu] = deque(maxlen=GYRO_QUEUE)
        self._gyro_lock = threading.Lock()  # held by whoever hands them on
        self._gyro_to = ""  # camera's frame of the newest image
        self.paused = False
        self._start_at: Float64 | None = None  # pose asked for before the first image
        self._state, self._reason = State.WAITING, "no image yet"
        self._dropped = 0
        self._upstream = Upstream()
        self._rivals: list[str] = []
        self._quiet_since, self._received = monotonic(), 0
        info = "left/camera_info" if self.config.input.stereo else "camera_info"
        self._calibration = Calibration(self, info)
        given = self.config
        asked = given.frames.base or given.frames.guess or given.input.imu or given.input.prior
        self._frames = FrameTree(self, bool(asked))
        self._publisher = OdometryPublisher(self, self._frames)
        self._priors = MotionPriors(self, self._frames)
        self._picture = Picture(self)
        self.forget()
        offer_services(self)
        self.autostart()

    def submit(
        self, header: Header, features: Features | FeatureArray, upstream: Upstream | None = None
    ) -> None:
        """Queue the features of one image; ``upstream`` tells what came before, where that is known."""
        worker = self._worker
        if worker and not self.paused:
            worker.submit((self.meter.came(), header, features, upstream or Upstream()))

    def expectation(self, begin: int, end: int) -> Expectation | None:
        """What is expected of an image at a stamp [ns], after one at ``begin``; None before the first one."""
        if self._gyro_to:
            self._give_gyro(self._gyro_to)
        return self._odometry.expectation(begin, end)

    def reset(self, T_odom_base: Float64 | None = None) -> None:
        """Forget the map; continue from the last pose, or from the given one (4, 4)."""
        with self._lock:
            if T_odom_base is None:
                self._odometry.reset()
            elif self._T_odom_world is None or self._T_base_camera is None:
                self._start_at = T_odom_base
            else:
                T_world_odom = se3.inverse(self._T_odom_world)
                self._odometry.reset(T_world_odom @ T_odom_base @ self._T_base_camera)

    @property
    def dropped(self) -> int:
        """Features skipped because newer ones had arrived."""
        return self._dropped + (self._worker.dropped if self._worker else 0)

    @property
    def dropped_frames(self) -> int:
        """Images skipped because a newer one had arrived, here or, where nodes are composed, before."""
        return self.dropped + self._upstream.dropped

    def load(self) -> None:
        """Nothing lasts long here."""

    def start(self) -> None:
        """Subscribe."""
        self._worker = NewestWins(self._process, self.failures.tell, self.config.input.queue, "odometry")
        wanted: list[tuple[Any, str, Any, Any]] = []
        if not self._composed:
            wanted.append((FeatureArray, "features", lambda msg: self.submit(msg.header, msg), 5))
        if self.config.input.imu:
            wanted.append((Imu, "imu", self._on_imu, qos_profile_sensor_data))
        if self.config.input.prior:
            wanted.append((OdometryMsg, "prior", self._priors.receive, PRIOR_QOS))
        self._subscriptions_made = [
            self.create_subscription(*each, qos_overriding_options=OVERRIDABLE) for each in wanted
        ]
        self._calibration.subscribe()

    def stop(self) -> None:
        """Unsubscribe; the map and the pose stay."""
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        self._subscriptions_made = []
        self._calibration.unsubscribe()
        if self._worker:
            self._worker.stop()
            self._dropped += self._worker.dropped
            self._worker = None

    def forget(self) -> None:
        """Begin anew at the origin."""
        with self._lock:
            self._odometry = Odometry(self.config.odometry)
            self._last: OdometryResult | None = None
            self._format: DescriptorFormat | None = None
            self._calibration.msg = None
            self._stamps = StampGate()
            self._T_odom_world: Float64 | None = None
            self._T_base_camera: Float64 | None = None
            self._start_at = None
            self.log = TrajectoryLog(self.config.frames.trajectory_length)
            self._publisher.forget()

    def change(self, config: Config) -> None:
        """New options of the odometry continue from the last pose; the rest is read where it is used."""
        if config.odometry == self.config.odometry:
            return
        with self._lock:
            self._odometry.configure(config.odometry)

    def report(self) -> Report:
        """The state of the odometry and its reason, and who else says where the robot is."""
        self._explain_silence()
        level = SEVERITY.get(self._state, DiagnosticStatus.OK)
        text = "paused" if self.paused else f"{self._state.name} {self._reason}".rstrip()
        values = {"state": self._state.name, "reason": self._reason, "dropped": str(self.dropped_frames)}
        if rivals := self._find_rivals():
            level, text = max(level, DiagnosticStatus.WARN), f"{text}; {rivals}"
        if self._last:
            values |= {"scale": self._last.scale.name, "resets": str(self._last.resets)}
            values |= {"scale sigma": f"{self._last.scale_sigma:.3f}"}
            error, sigma = self._odometry.focal_error
            values["focal length error"] = f"{100 * error:.1f} +- {100 * sigma:.1f} %"
        if self.config.odometry.tracking.readout_sigma_s:
            readout = self._odometry.readout
            values["readout"] = f"{1e3 * readout.seconds:.1f} +- {1e3 * readout.sigma_s:.1f} ms"
        if self._expects_prior:
            values["prior"], doubt = self._priors.summary()
            if doubt:
                level, text = max(level, DiagnosticStatus.WARN), f"{text}; {doubt}"
        return Report(level, text, values)

    def _explain_silence(self) -> None:
        if self._composed or self.paused or self.meter.received != self._received:
            self._quiet_since, self._received = monotonic(), self.meter.received
        elif monotonic() - self._quiet_since > self.config.input.silence_s:
            self._quiet_since = monotonic()
            text = explain_silence(self, "features", self.config.input.silence_s, self._stamps.newest)
            self.get_logger().warning(text)

    def _find_rivals(self) -> str:
        """A sentence about other publishers of the same odometry, logged when they come; empty: none."""
        topic = self.resolve_topic_name("odom")
        found = self.get_publishers_info_by_topic(topic)
        rivals = sorted(endpoints(found)) if len(found) > 1 else []
        text = f"{topic} is published by {', '.join(rivals)}: give each a namespace or remap odom"
        if rivals and rivals != self._rivals:
            self.get_logger().warning(text)
        self._rivals = rivals
        return text if rivals else ""

    def _on_imu(self, msg: Imu) -> None:
        self._gyro.append(msg)

    def _process(self, task: Task) -> None:
        """From the features of one image to everything that is published about it."""
        came, header, given, self._upstream = task
        features = given if isinstance(given, Features) else conversions.features_from_msg(given)
        stamp = conversions.to_ns(header.stamp)
        try:
            camera, T_base_camera = self._camera(features), self._extrinsics(header, stamp)
        except InputError as error:
            return self._wait(header, str(error))
        with self._lock:
            order = self._stamps.classify(stamp, came)
            if order is Order.AHEAD:
                return self._wait(header, f"image stamp {stamp} ns is {order.value}")
            if order is Order.BACK:
                self._start_anew("time was set back")
                self._frames.forget()
                self._priors.forget()
            if self._format not in (None, features.format):
                self._start_anew("the features are of another kind")
            self._format = features.format
            self._place_start(T_base_camera)
            self._gyro_to = self._camera_frame(header)
            self._give_gyro(self._gyro_to)
            prior = self._prior(header, stamp)
            result = self._odometry.process(stamp, features, camera, prior)
            if self._expects_prior and self._last is not None:
                self._priors.remember(prior, self._last, result)
            self._stamps.accept(stamp, came)
            self._last, self._T_base_camera = result, T_base_camera
        self._publish(result, header, features, camera)
        self.meter.went(came)

    def _camera(self, features: Features) -> Camera:
        """The calibration of the image that the features are from.

        Raises:
            InputError: none has come yet, or what came is none.
        """
        return self._calibration.camera(features.rectified or self.config.input.rectified)

    def _start_anew(self, why: str) -> None:
        self.get_logger().warning(f"{why}: the odometry starts anew from its last pose")
        self._odometry.reset()

    def _camera_frame(self, header: Header) -> str:
        return str(self.config.frames.camera or header.frame_id.lstrip("/"))

    def _child_frame(self, header: Header) -> str:
        return str(self.config.frames.base or self._camera_frame(header))

    def _extrinsics(self, header: Header, stamp: int) -> Float64:
        """Where the camera sits on the base at the image's stamp."""
        camera = self._camera_frame(header)
        if not camera:
            raise InputError("images have no frame_id: set it in the driver, or give frames.camera")
        if not self.config.frames.base:
            return np.eye(4)
        return self._frames.extrinsics(self.config.frames.base, camera, stamp)

    def _place_start(self, T_base_camera: Float64) -> None:
        """At the first image, fix where the camera's world lies in odom."""
        if self._T_odom_world is None:
            upright = T_base_camera if self.config.frames.base else conversions.OPTICAL_TO_BODY
            start = self._start_at
            self._T_odom_world = upright if start is None else start @ T_base_camera

    @property
    def _expects_prior(self) -> bool:
        return bool(self.config.input.prior or self.config.frames.guess)

    def _prior(self, header: Header, stamp: int) -> MotionPrior | None:
        """The camera's motion since the image before, if another odometry is to tell it and does."""
        if self._last is None or self._last.stamp >= stamp or not self._expects_prior:
            return None
        guess = self.config.frames.guess
        return self._priors.motion(self._camera_frame(header), guess, self._last.stamp, stamp)

    def _give_gyro(self, camera_frame: str) -> None:
        """Hand the angular velocities that came since then to the odometry."""
        with self._gyro_lock:
            while self._gyro:
                self._give_rate(self._gyro.popleft(), camera_frame)

    def _give_rate(self, msg: Imu, camera_frame: str) -> None:
        R = self._frames.rotation(camera_frame, msg.header.frame_id.lstrip("/"))
        w = msg.angular_velocity
        velocity = np.array([w.x, w.y, w.z])
        if R is None:
            self.get_logger().warning(
                f"imu: no transform {camera_frame} <- {msg.header.frame_id}: its gyro is not used",
                throttle_duration_sec=3.0,
            )
        elif np.isfinite(velocity).all():
            self._odometry.add_gyro(conversions.to_ns(msg.header.stamp), R @ velocity)

    def _wait(self, header: Header, reason: str) -> None:
        self._state, self._reason = State.WAITING, reason
        self.get_logger().warning(f"waiting: {reason}", throttle_duration_sec=3.0)
        resets = self._last.resets if self._last else 0
        self._publisher.publish_waiting(header, reason, self.dropped_frames, resets)

    def _publish(self, result: OdometryResult, header: Header, features: Features, camera: Camera) -> None:
        assert self._T_odom_world is not None and self._T_base_camera is not None
        child = self._child_frame(header)
        image = ImageResult(result, features, header, child, self._T_odom_world, self._T_base_camera)
        self._publisher.publish(image, self._odometry.landmark_ids)
        self.log.add(result.stamp, image.T_odom_base)
        milliseconds = {**self._upstream.milliseconds, **result.milliseconds}
        self._publisher.publish_status(image, self.dropped_frames, milliseconds)
        self._picture.show(result, features, camera, header, image.T_odom_camera[:3, :3])
        self._tell(result)

    def _tell(self, result: OdometryResult) -> None:
        """Log changes of state."""
        if result.state is not self._state:
            self.get_logger().info(f"{result.state.name} {result.reason}".rstrip())
        self._state, self._reason = result.state, result.reason


def main() -> None:
    """Run the node until it is interrupted."""
    spin(lambda: [OdometryNode()])


if __name__ == "__main__":
    main()
