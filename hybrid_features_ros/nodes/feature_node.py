"""Images in, features out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

from message_filters import ApproximateTimeSynchronizer, Subscriber
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hybrid_features_ros.evaluation.draw import draw_features
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.depth import with_depth
from hybrid_features_ros.msg import FeatureArray
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.parameters import declare
from hybrid_features_ros.nodes.spin import log_failure, spin
from hybrid_features_ros.nodes.worker import NewestWins
from hybrid_features_ros.types import Features

Sink = Callable[[Header, Features], None]


class FeatureNode(Node):
    """Extract local features from a camera topic.

    Subscribes: ``image`` (sensor_msgs/Image; ``image/compressed`` with ``input.transport: compressed``),
    ``depth/image`` with ``input.depth: true``. Publishes, only while somebody listens: ``features``
    (FeatureArray), ``image_features`` (the image with its features drawn).

    Args:
        sink: receives every image's header and features in this process.
    """

    def __init__(self, sink: Sink | None = None, **options: Any) -> None:
        super().__init__("feature_node", **options)
        config = declare(self, "features", "input")
        self._input = config.input
        self._sink = sink
        self._seen = False
        self._extractor = make_extractor(config.features)
        overridable = QoSOverridingOptions.with_default_policies()
        self._publisher = self.create_publisher(
            FeatureArray, "features", 5, qos_overriding_options=overridable
        )
        self._overlay = self.create_publisher(Image, "image_features", 1, qos_overriding_options=overridable)
        self._worker = NewestWins(self._extract, log_failure(self), config.input.queue)
        compressed = config.input.transport == "compressed"
        self._topic = "image/compressed" if compressed else "image"
        self._subscribe(CompressedImage if compressed else Image, overridable)
        self._watch = self.create_timer(
            config.input.silence_s, self._report_silence, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    @property
    def dropped(self) -> int:
        """Images skipped because a newer one had arrived."""
        return self._worker.dropped

    def destroy_node(self) -> None:
        """Stop the extraction, then the node."""
        self._worker.stop()
        super().destroy_node()

    def _subscribe(self, kind: Any, overridable: QoSOverridingOptions) -> None:
        qos = QoSProfile(
            depth=max(self._input.queue, 5),
            reliability=qos_profile_sensor_data.reliability,
            durability=qos_profile_sensor_data.durability,
        )
        if not self._input.depth:
            self.create_subscription(
                kind, self._topic, self._on_image, qos, qos_overriding_options=overridable
            )
            return
        topics = [(kind, self._topic), (Image, "depth/image")]
        filters = [
            Subscriber(self, k, t, qos_profile=qos, qos_overriding_options=overridable) for k, t in topics
        ]
        self._synchroniser = ApproximateTimeSynchronizer(filters, 10, self._input.max_interval_s)
        self._synchroniser.registerCallback(self._on_image)

    def _on_image(self, image: Image | CompressedImage, depth: Image | None = None) -> None:
        self._seen = True
        self._worker.submit((image, depth))

    def _extract(self, item: tuple[Image | CompressedImage, Image | None]) -> None:
        msg, depth = item
        start = perf_counter()
        image = conversions.image_from_msg(msg)
        features = self._extractor.extract(image)
        features = replace(features, rectified=self._input.rectified)
        if depth is not None:
            features = with_depth(features, conversions.depth_from_msg(depth))
        milliseconds = 1e3 * (perf_counter() - start)
        self.get_logger().debug(f"{len(features)} features in {milliseconds:.1f} ms")
        if self._sink:
            self._sink(msg.header, features)
        if self._publisher.get_subscription_count():
            self._publisher.publish(conversions.features_to_msg(features, msg.header))
        if self._overlay.get_subscription_count():
            self._overlay.publish(conversions.image_to_msg(draw_features(image, features), msg.header))

    def _report_silence(self) -> None:
        """Say what is missing when no image came since the last call."""
        if self._seen:
            self._seen = False
            return
        for topic in [self._topic] + (["depth/image"] if self._input.depth else []):
            name = self.resolve_topic_name(topic)
            publishers = self.get_publishers_info_by_topic(name)
            found = ", ".join(
                f"{p.node_namespace.rstrip('/')}/{p.node_name} "
                f"({p.topic_type}, {p.qos_profile.reliability.name.lower()})"
                for p in publishers
            )
            self.get_logger().warning(
                f"no image on {name} for {self._input.silence_s:g} s; "
                + (
                    f"publishers: {found}"
                    if found
                    else "nobody publishes it: start the camera or remap `image`"
                )
            )


def main() -> None:
    """Run the node until it is interrupted."""
    spin(lambda: [FeatureNode()])


if __name__ == "__main__":
    main()
