"""Discovery: what `nats micro ls`, `info` and `stats` show of a process."""

from __future__ import annotations

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro.service import EndpointInfo, EndpointStats, ServiceConfig, ServiceInfo, ServiceStats
from nats.micro.service import Service as MicroService

from runtime.serving import Serving, may_be_answered


class Discovery(MicroService):
    """`$SRV.PING/INFO/STATS` over our own endpoints (nats.micro itself would run one handler at a time)."""

    def __init__(self, client: Client, config: ServiceConfig, endpoints: list[Serving]) -> None:
        super().__init__(client, config)
        self._servings = endpoints

    async def _handle_ping_request(self, msg: Msg) -> None:
        if may_be_answered(msg.subject, msg.reply):
            await super()._handle_ping_request(msg)

    async def _handle_info_request(self, msg: Msg) -> None:
        if may_be_answered(msg.subject, msg.reply):
            await super()._handle_info_request(msg)

    async def _handle_stats_request(self, msg: Msg) -> None:
        if may_be_answered(msg.subject, msg.reply):
            await super()._handle_stats_request(msg)

    def info(self) -> ServiceInfo:
        info = super().info()
        info.endpoints = [
            EndpointInfo(name=_endpoint(s), subject=s.subject, queue_group=s.queue, metadata={}) for s in self._servings
        ]
        return info

    def stats(self) -> ServiceStats:
        stats = super().stats()
        stats.endpoints = [
            EndpointStats(
                name=_endpoint(s),
                subject=s.subject,
                queue_group=s.queue,
                num_requests=s.requests,
                num_errors=s.errors,
                last_error="",
                processing_time=s.busy_ns,
                average_processing_time=s.busy_ns // s.requests if s.requests else 0,
            )
            for s in self._servings
        ]
        return stats


def _endpoint(serving: Serving) -> str:
    return serving.subject.replace(".", "-").replace("*", "any").replace(">", "all")


def configuration(service: str, metadata: dict[str, str]) -> ServiceConfig:
    """How a process is shown. All parts of Lianji have one version."""
    return ServiceConfig(name=service, version="0.1.0", metadata=metadata)
