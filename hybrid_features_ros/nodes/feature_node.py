# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images in, features out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hybrid_features_ros.core.config import Config, FeatureConfig
from hybrid_features_ros.core.types import Features
from hybrid_features_ros.features import Extractor, make_extractor
from hybrid_features_ros.features.depth import with_depth
from hybrid_features_ros.features.extractor import Adjustable
from hybrid_features_ros.features.process import ProcessExtractor
from hybrid_features_ros.features.stereo import PairOrder, StereoDepth
from hybrid_features_ros.features.tracking import Expect, FeatureTracker
from hybrid_features_ros.io.calibration import is_named_rectified
from hybrid_features_ros.io.images import depth_of, doubt_of
from hybrid_features_ros.msg import FeatureArray
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.budget import KeypointBudget
from hybrid_features_ros.nodes.calibration import Calibration
from hybrid_features_ros.nodes.diagnostics import Report, Upstream, explain_silence
from hybrid_features_ros.nodes.image_topics import ImageTopics
from hybrid_features_ros.nodes.managed import OVERRIDABLE, ManagedNode
from hybrid_features_ros.nodes.parameters import is_given
from hybrid_features_ros.nodes.rtabmap import RtabmapOutput
from hybrid_features_ros.nodes.spin import spin
from hybrid_features_ros.nodes.worker import NewestWins

Sink = Callable[[Header, Features, Upstream], None]

DEPTH_RANGE_M = (0.05, 100.0)  # of median depths that are believed without a word
REMEMBERED = 100  # images that the diagnostics tell of
NODES_OWN = ("tracking", "min_keypoints", "inverse_depth_sigma", "rectification_sigma")  # of `features`
WARM_UP = (480, 640)  # size of the image that makes the model ready


@dataclass(frozen=True)
class Item:
    """One image on its way through the worker, with the image that gives it depth, if any."""

    came: float
    image: Image | CompressedImage
    partner: Image | CompressedImage | None = None


class FeatureNode(ManagedNode):
    """Extract local features from a camera topic.

    Subscribes: ``image`` (sensor_msgs/Image; ``image/compressed`` with ``input.transport: compressed``),
    with ``input.depth: true`` also ``depth/image``; with ``input.stereo: true`` instead
    ``left/image_rect``, ``right/image_rect`` and both ``camera_info``. Publishes while somebody listens
    ``features`` (FeatureArray) and, with depth and if rtabmap_msgs is installed, ``rgbd_image``; and
    ``/diagnostics``.

    Args:
        sink: receives every image's header and features in this process, and what they took.
        expect: what the odometry expects of an image, with ``features.tracking: between_keyframes``.
    """

    def __init__(self, sink: Sink | None = None, expect: Expect | None = None, **options: Any) -> None:
        super().__init__("feature_node", "features", "input", **options)
        self._sink, self._expect = sink, expect
        self._tracker: FeatureTracker | None = None
        self._outcomes: deque[bool] = deque(maxlen=REMEMBERED)  # which images were detected
        self._model = "none"
        self._rectified = False
        self._calibrations = [Calibration(self, f"{side}/camera_info") for side in ("left", "right")]
        self._pair: tuple[Any, StereoDepth, PairOrder] | None = None  # of which calibration
        self._worker: NewestWins[Item] | None = None
        self.images = ImageTopics(self, self._on_image)
        self._dropped = 0
        self._budget = KeypointBudget(0, self.config.features.max_keypoints)
        self._heard = self._silent = False
        self._publisher = self.create_lifecycle_publisher(
            FeatureArray, "features", 5, qos_overriding_options=OVERRIDABLE
        )
        self._rtabmap = RtabmapOutput(self)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._watch = self.create_timer(self.config.input.silence_s, self._report_silence, clock=steady)
        self.autostart()

    @property
    def dropped(self) -> int:
        """Images skipped because a newer one had arrived."""
        return self._dropped + (self._worker.dropped if self._worker else 0)

    def load(self) -> None:
        """Load the model and run it once, so that the first image does not wait for it."""
        noise = np.random.default_rng(0).integers(0, 255, WARM_UP, dtype=np.uint8)
        self._name_model(self._make_extractor(self.config).extract(noise))
        self.get_logger().info(f"{self._model} computed by {self._provider}")

    def start(self) -> None:
        """Subscribe."""
        if self._tracker is None:
            self.load()
        self._heard = False
        self._rectified = self._is_rectified()
        self._worker = NewestWins(self._extract, self.failures.tell, self.config.input.queue, "features")
        self._watch.reset()
        self.images.subscribe()
        stereo = self._calibrations if self.config.input.stereo else ()
        for calibration in (*stereo, *self._rtabmap.calibrations):
            calibration.subscribe()

    def stop(self) -> None:
        """Unsubscribe and release the model."""
        self.images.unsubscribe()
        for calibration in (*self._calibrations, *self._rtabmap.calibrations):
            calibration.unsubscribe()
        if self._worker:
            self._worker.stop()
            self._dropped += self._worker.dropped
            self._worker = None
        self._tracker = None

    def forget(self) -> None:
        """Release the model."""
        self._tracker = None

    def change(self, config: Config) -> None:
        """Make another extractor where its options changed; an image in work keeps the old one."""
        other = _of_extractor(config.features) != _of_extractor(self.config.features)
        if self._tracker is None and other:
            make_extractor(config.features)  # refuses what could not be activated
        elif other:
            self._make_extractor(config)
        elif self._tracker is not None and config.features != self.config.features:
            self._follow_with(self._tracker.extractor, config)
        if config.input.silence_s != self.config.input.silence_s:
            self._watch.timer_period_ns = int(config.input.silence_s * 1e9)

    def _make_extractor(self, config: Config) -> Extractor:
        make = ProcessExtractor if config.features.own_process else make_extractor
        extractor: Extractor = make(config.features)
        self._follow_with(extractor, config)
        return extractor

    def _follow_with(self, extractor: Extractor, config: Config) -> None:
        self._tracker = FeatureTracker(extractor, config.features.tracking, self._expect)
        self._budget = KeypointBudget(config.features.min_keypoints, config.features.max_keypoints)

    def report(self) -> Report:
        """Whether images arrive, and what works on them."""
        quiet = self._silent or not self.images.newest
        level = DiagnosticStatus.WARN if quiet else DiagnosticStatus.OK
        values = {
            "dropped": str(self.dropped),
            "keypoint budget": str(self._budget.now),
            "detected images": f"{sum(self._outcomes)} of {len(self._outcomes)}",
            "model": self._model,
            "execution provider": self._provider,
            "reliability": ", ".join(f"{name}: {how}" for name, how in self.images.reliability.items()),
        }
        return Report(level, "no images" if quiet else "extracting features", values)

    def _on_image(
        self, image: Image | CompressedImage, partner: Image | CompressedImage | None = None
    ) -> None:
        self._heard = True
        if self._worker:
            self._worker.submit(Item(self.meter.came(), image, partner))

    def _extract(self, item: Item) -> None:
        tracker = self._tracker
        wanted = self._sink or self._publisher.get_subscription_count() or self._rtabmap.wanted
        if tracker is None or not wanted:
            return
        begin = perf_counter()
        if isinstance(tracker.extractor, Adjustable):
            tracker.extractor.budget = self._budget.update(self.dropped)
        features = replace(self._features(tracker, item), rectified=self._rectified)
        stage = "extraction" if tracker.detected else "following"
        milliseconds = {stage: 1e3 * (perf_counter() - begin)}
        self._outcomes.append(tracker.detected)
        self._name_model(features)
        if self._sink:
            self._sink(item.image.header, features, Upstream(self.dropped, milliseconds))
        if self._publisher.get_subscription_count():
            self._publisher.publish(conversions.features_to_msg(features, item.image.header))
        if self._rtabmap.wanted and item.partner is not None:
            self._rtabmap.publish(item.image, item.partner, features)
        self.meter.went(item.came)

    def _features(self, tracker: FeatureTracker, item: Item) -> Features:
        """The features of an image, with depth if its partner gives it; of a pair only where they were
        detected: only keyframes need depths.
        """
        partner, stamp = item.partner, conversions.to_ns(item.image.header.stamp)
        features = tracker.extract(conversions.image_from_msg(item.image), stamp)
        if doubt := doubt_of(item.image):
            self.get_logger().warning(doubt, throttle_duration_sec=10.0)
        if partner is None or (self.config.input.stereo and not tracker.detected):
            return features
        if self.config.input.stereo:
            right = tracker.extractor.extract(conversions.image_from_msg(partner))
            stereo, order = self._stereo()
            features = stereo.add(features, right)
            if not order.is_seen:
                order.see(features, right)
                self._doubt_order(order)
            return features
        features = with_depth(features, depth_of(partner), self.config.features.inverse_depth_sigma)
        self._doubt(features)
        return features

    def _stereo(self) -> tuple[StereoDepth, PairOrder]:
        """What turns a pair into depth, and doubts its order, made anew where the calibration or its
        uncertainty has changed.

        Raises:
            InputError: a calibration is missing, or the two are none of a rectified pair.
        """
        pair = conversions.stereo_from_msgs(*(c.get() for c in self._calibrations))
        given = *pair, self.config.features.rectification_sigma
        if self._pair is None or self._pair[0] != given:
            self._pair = given, StereoDepth(*given), PairOrder(*given)
        return self._pair[1:]

    def _doubt_order(self, order: PairOrder) -> None:
        """Say so where the first pairs show that left and right have changed places."""
        if order.is_seen and order.doubt:
            left, right = (self.resolve_topic_name(topic) for topic in self.images.topics)
            self.get_logger().error(f"{left}, {right}: {order.doubt}: swap left and right")

    def _doubt(self, features: Features) -> None:
        """Say so where depths are not what any camera measures."""
        depths = features.depths
        if depths is None or not len(depths):
            return
        if not np.isfinite(depths).any():
            self.get_logger().warning(
                f"{self.resolve_topic_name('depth/image')}: no valid depth at any keypoint (0, NaN and inf "
                "are none): this image is used without depth",
                throttle_duration_sec=10.0,
            )
            return
        middle = float(np.nanmedian(depths))
        if not DEPTH_RANGE_M[0] <= middle <= DEPTH_RANGE_M[1]:
            self.get_logger().warning(
                f"{self.resolve_topic_name('depth/image')}: the median depth is {middle:g} m; 16UC1 is in "
                "millimetres and 32FC1 in metres (REP-118): does the driver publish other units?",
                throttle_duration_sec=10.0,
            )

    def _is_rectified(self) -> bool:
        """As the parameter says; where nobody gave it, as the topic is named."""
        given, topic = self.config.input, self.resolve_topic_name("image")
        if given.stereo or given.rectified or not is_named_rectified(topic):
            return bool(given.stereo or given.rectified)
        if is_given(self, "input.rectified"):
            self.get_logger().warning(
                f"{topic} is named as rectified, but input.rectified is false: its images are undistorted "
                "by K and D of camera_info"
            )
            return False
        self.get_logger().info(
            f"{topic} is named as rectified: P of camera_info is used and no distortion; input.rectified, "
            "if given, decides"
        )
        return True

    @property
    def _provider(self) -> str:
        """What computes the features: an extractor of the user's own need not say."""
        return str(getattr(getattr(self._tracker, "extractor", None), "provider", "OpenCV"))

    def _name_model(self, features: Features) -> None:
        f = features.format
        self._model = f"{f.detector}/{f.descriptor} {f.model_digest[:12]}".rstrip()

    def _report_silence(self) -> None:
        """Say what is missing when no image came since the last call."""
        topics, newest = list(self.images.topics), self.images.newest
        self._silent, self._heard = self.active and not self._heard, False
        if not self._silent:
            return
        seconds = self.config.input.silence_s
        for topic in topics:
            self.get_logger().warning(explain_silence(self, topic, seconds, newest.get(topic)))
        if len(topics) == 2 and all(topic in newest for topic in topics):
            apart = abs(newest[topics[0]] - newest[topics[1]]) * 1e-9
            if apart <= self.config.input.max_interval_s and self.config.input.sync != "exact":
                return  # they did pair, and then both fell silent
            self.get_logger().warning(
                f"both come, but no pair: the newest stamps are {apart:.3f} s apart, paired are "
                + ("equal stamps" if self.config.input.sync == "exact" else "those within")
                + f" input.max_interval_s = {self.config.input.max_interval_s:g} s"
            )


def _of_extractor(config: FeatureConfig) -> FeatureConfig:
    """The options that an extractor is made from; the others are the node's own."""
    usual = FeatureConfig()
    return replace(config, **{name: getattr(usual, name) for name in NODES_OWN})


def main() -> None:
    """Run the node until it is interrupted."""
    spin(lambda: [FeatureNode()])


if __name__ == "__main__":
    main()
