//! Families of metrics, written one after the other.

use std::{collections::HashMap, fmt};

use prometheus_client::{
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder,
        NoLabelSet,
    },
    metrics::{MetricType, exemplar::Exemplar},
    registry::Unit,
};

use super::counts::Distribution;

/// A family's name without the suffixes of its unit and type, and what it means.
#[derive(Clone, Copy)]
pub(super) struct About {
    name: &'static str,
    unit: Option<In>,
    help: &'static str,
}

/// Units, which end names.
#[derive(Clone, Copy)]
pub(super) enum In {
    Bytes,
    Seconds,
    Ratio,
}

/// A family without a unit.
pub(super) fn about(name: &'static str, help: &'static str) -> About {
    About {
        name,
        unit: None,
        help,
    }
}

/// A family in `unit`.
pub(super) fn about_in(unit: In, name: &'static str, help: &'static str) -> About {
    About {
        name,
        unit: Some(unit),
        help,
    }
}

/// Writes families; one without samples is left out.
pub(super) struct Families<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Families<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// What may rise and fall.
    pub(super) fn gauge<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        about: About,
        samples: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        self.each(about, MetricType::Gauge, samples, |mut metric, value| {
            metric.encode_gauge(value)
        })
    }

    /// A gauge without labels.
    pub(super) fn one_gauge(&mut self, about: About, value: impl EncodeGaugeValue) -> fmt::Result {
        self.begin(about, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A counter without labels.
    pub(super) fn one_counter(
        &mut self,
        about: About,
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        let none = None::<&Exemplar<NoLabelSet, u64>>;
        self.begin(about, MetricType::Counter)?
            .encode_counter(&value, none)
    }

    /// What only rises.
    pub(super) fn counter<L: EncodeLabelSet, V: EncodeCounterValue>(
        &mut self,
        about: About,
        samples: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        self.each(about, MetricType::Counter, samples, |mut metric, value| {
            metric.encode_counter(value, None::<&Exemplar<NoLabelSet, u64>>)
        })
    }

    /// How values are distributed.
    pub(super) fn histogram<L: EncodeLabelSet, D: AsRef<Distribution>>(
        &mut self,
        about: About,
        samples: impl IntoIterator<Item = (L, D)>,
    ) -> fmt::Result {
        self.each(
            about,
            MetricType::Histogram,
            samples,
            |mut metric, value| {
                let distribution = value.as_ref();
                let buckets: Vec<_> = distribution.buckets().collect();
                let exemplars = None::<&HashMap<usize, Exemplar<NoLabelSet, f64>>>;
                metric.encode_histogram(
                    distribution.seconds,
                    distribution.count(),
                    &buckets,
                    exemplars,
                )
            },
        )
    }

    /// What does not change, as labels.
    pub(super) fn info<L: EncodeLabelSet>(
        &mut self,
        about: About,
        samples: impl IntoIterator<Item = L>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metrics = self.begin(about, MetricType::Info)?;
        samples.try_for_each(|labels| metrics.encode_info(&labels))
    }

    fn each<L: EncodeLabelSet, V>(
        &mut self,
        about: About,
        kind: MetricType,
        samples: impl IntoIterator<Item = (L, V)>,
        write: impl Fn(MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metrics = self.begin(about, kind)?;
        samples.try_for_each(|(labels, value)| write(metrics.encode_family(&labels)?, &value))
    }

    fn begin(&mut self, about: About, kind: MetricType) -> Result<MetricEncoder<'_>, fmt::Error> {
        // The encoder takes a reference that lives as long as what it writes; these are three.
        static BYTES: Unit = Unit::Bytes;
        static SECONDS: Unit = Unit::Seconds;
        let ratio = RATIO.get_or_init(|| Unit::Other("ratio".into()));
        let unit = about.unit.map(|unit| match unit {
            In::Bytes => &BYTES,
            In::Seconds => &SECONDS,
            In::Ratio => ratio,
        });
        self.encoder
            .encode_descriptor(about.name, about.help, unit, kind)
    }
}

static RATIO: std::sync::OnceLock<Unit> = std::sync::OnceLock::new();
