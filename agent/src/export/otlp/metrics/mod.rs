//! Samples as metrics.

mod agent;
mod histogram;
mod points;
mod runtime;
mod sites;
mod target;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{Metric, ResourceMetrics, ScopeMetrics},
    resource::v1::Resource,
};
use prost::{Message as _, bytes::Bytes};

use super::{
    attributes::scope,
    resource::{of_agent, of_target},
    service::{LARGEST_REQUEST, Service},
    settings::OtlpSettings,
};
use crate::{
    export::{
        ExportError, HostIdentity,
        delivery::{Accepted, Delivery, Failure, Parcel},
    },
    report::node::NodeSample,
};
use sites::SiteSeries;

/// Which process, for as long as it lives.
type TargetKey = (i32, SystemTime);

/// Sends samples as metrics.
#[derive(Debug)]
pub(in crate::export) struct Metrics {
    service: Service,
    writer: Writer,
}

impl Metrics {
    pub(in crate::export) fn new(
        settings: &OtlpSettings,
        host: Arc<HostIdentity>,
    ) -> Result<Self, ExportError> {
        Ok(Self {
            service: Service::new(settings)?,
            writer: Writer::new(host, settings.sites),
        })
    }
}

impl Delivery for Metrics {
    type Item = Arc<NodeSample>;

    const ONLY_THE_NEWEST: bool = true;

    fn parcels(&mut self, items: &[Self::Item]) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        for sample in items {
            parcels.extend(self.writer.parcels(sample, LARGEST_REQUEST));
        }
        parcels
    }

    async fn send(&mut self, parcel: &Parcel) -> Result<Accepted, Failure> {
        self.service.export(parcel.body.clone()).await
    }
}

/// Makes requests of samples. It remembers which sites of each process have series of their own.
#[derive(Debug)]
pub(super) struct Writer {
    host: Arc<HostIdentity>,
    sites: usize,
    series: HashMap<TargetKey, SiteSeries>,
}

impl Writer {
    pub(super) fn new(host: Arc<HostIdentity>, sites: usize) -> Self {
        Self {
            host,
            sites,
            series: HashMap::new(),
        }
    }

    /// Encoded requests of at most `largest` bytes, unless a single resource is larger. Encoded requests
    /// one behind the other are one, by protobuf's rules for repeated fields.
    pub(super) fn parcels(&mut self, sample: &NodeSample, largest: usize) -> Vec<Parcel> {
        let mut bodies: Vec<Vec<u8>> = Vec::new();
        let mut last = Vec::new();
        let mut resources = 0..=sample.targets.len();
        let mut add = |metrics: ResourceMetrics| {
            let request = ExportMetricsServiceRequest {
                resource_metrics: vec![metrics],
            };
            if !last.is_empty() && last.len() + request.encoded_len() > largest {
                bodies.push(std::mem::take(&mut last));
            }
            last.reserve(request.encoded_len());
            // A vector has room for all.
            let _ = request.encode(&mut last);
        };
        for number in resources.by_ref() {
            add(match number.checked_sub(1) {
                None => self.of_agent(sample),
                Some(index) => self.of_target(&sample.targets[index]),
            });
        }
        bodies.push(last);
        self.forget(sample);
        let count = bodies.len();
        let parcel = |(number, body): (usize, Vec<u8>)| Parcel {
            body: Bytes::from(body),
            items: u64::from(number + 1 == count),
        };
        bodies.into_iter().enumerate().map(parcel).collect()
    }

    /// The metrics of one process under its resource.
    pub(super) fn of_target(
        &mut self,
        sample: &crate::report::node::TargetSample,
    ) -> ResourceMetrics {
        let key = (sample.target.pid, sample.target.started);
        let series = self.series.entry(key).or_default();
        let sites = series.divide(sample, self.sites);
        let mut metrics = target::metrics(sample, &sites);
        metrics.extend(runtime::metrics(sample));
        self.under(of_target(&sample.target, &self.host), metrics)
    }

    /// The metrics of the agent under its resource.
    pub(super) fn of_agent(&self, sample: &NodeSample) -> ResourceMetrics {
        self.under(of_agent(&self.host), agent::metrics(&sample.agent))
    }

    fn under(&self, resource: Resource, mut metrics: Vec<Metric>) -> ResourceMetrics {
        // A metric of which nothing is known is not sent.
        metrics.retain(points::has_points);
        ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope(self.host.version)),
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }
    }

    fn forget(&mut self, sample: &NodeSample) {
        let alive = sample.targets.iter();
        let alive: std::collections::HashSet<TargetKey> = alive
            .map(|sample| (sample.target.pid, sample.target.started))
            .collect();
        self.series.retain(|key, _| alive.contains(key));
    }
}

/// As OTLP has moments; 0 is its word for one that is not known.
pub(super) fn unix_nanoseconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}
