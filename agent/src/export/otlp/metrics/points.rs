//! Metrics and their points.

use std::time::SystemTime;

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
        metric::Data, number_data_point::Value,
    },
};

use super::{histogram::Counted, unix_nanoseconds};
use crate::export::otlp::attributes::Attributes;

/// From when to when points count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) began: SystemTime,
    pub(super) taken: SystemTime,
}

/// A number, with what it is of.
pub(super) struct Point {
    attributes: Vec<KeyValue>,
    span: Span,
    value: Value,
}

impl Span {
    /// A whole number.
    pub(super) fn whole(self, value: u64) -> Point {
        self.point(Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    /// A number.
    pub(super) fn real(self, value: f64) -> Point {
        self.point(Value::AsDouble(value))
    }

    fn point(self, value: Value) -> Point {
        Point {
            attributes: Vec::new(),
            span: self,
            value,
        }
    }
}

impl Point {
    /// What it is of.
    pub(super) fn of(mut self, key: &str, value: &str) -> Self {
        let mut attributes = Attributes(std::mem::take(&mut self.attributes));
        attributes.text(key, value);
        self.attributes = attributes.0;
        self
    }

    /// What it is of, by several names.
    pub(super) fn with(mut self, attributes: &Attributes) -> Self {
        self.attributes.extend(attributes.0.iter().cloned());
        self
    }
}

/// A metric without points: its name, unit and meaning.
pub(super) struct Named {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) description: &'static str,
}

/// Short for [`Named`].
pub(super) fn named(name: &'static str, unit: &'static str, description: &'static str) -> Named {
    Named {
        name,
        unit,
        description,
    }
}

impl Named {
    /// A value that cannot be summed.
    pub(super) fn gauge(self, points: impl IntoIterator<Item = Point>) -> Metric {
        let data_points = numbers(points, false);
        self.metric(Data::Gauge(Gauge { data_points }))
    }

    /// A sum that goes up and down.
    pub(super) fn up_and_down(self, points: impl IntoIterator<Item = Point>) -> Metric {
        self.sum(points, false)
    }

    /// A sum that only rises.
    pub(super) fn counter(self, points: impl IntoIterator<Item = Point>) -> Metric {
        self.sum(points, true)
    }

    fn sum(self, points: impl IntoIterator<Item = Point>, is_monotonic: bool) -> Metric {
        let sum = Sum {
            data_points: numbers(points, true),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic,
        };
        self.metric(Data::Sum(sum))
    }

    /// How values are distributed.
    pub(super) fn histogram(
        self,
        points: impl IntoIterator<Item = (Span, Attributes, Counted)>,
    ) -> Metric {
        let points = points
            .into_iter()
            .map(|(span, attributes, counted)| HistogramDataPoint {
                attributes: attributes.0,
                start_time_unix_nano: unix_nanoseconds(span.began),
                time_unix_nano: unix_nanoseconds(span.taken),
                count: counted.counts.iter().sum(),
                explicit_bounds: counted.bounds.to_vec(),
                bucket_counts: counted.counts,
                ..HistogramDataPoint::default()
            });
        let histogram = Histogram {
            data_points: points.collect(),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        };
        self.metric(Data::Histogram(histogram))
    }

    fn metric(self, data: Data) -> Metric {
        Metric {
            name: self.name.into(),
            unit: self.unit.into(),
            description: self.description.into(),
            data: Some(data),
            ..Metric::default()
        }
    }
}

fn numbers(points: impl IntoIterator<Item = Point>, has_start: bool) -> Vec<NumberDataPoint> {
    let point = |point: Point| NumberDataPoint {
        attributes: point.attributes,
        start_time_unix_nano: match has_start {
            true => unix_nanoseconds(point.span.began),
            false => 0,
        },
        time_unix_nano: unix_nanoseconds(point.span.taken),
        value: Some(point.value),
        ..NumberDataPoint::default()
    };
    points.into_iter().map(point).collect()
}

/// Whether there is any point in it.
pub(super) fn has_points(metric: &Metric) -> bool {
    match &metric.data {
        Some(Data::Gauge(gauge)) => !gauge.data_points.is_empty(),
        Some(Data::Sum(sum)) => !sum.data_points.is_empty(),
        Some(Data::Histogram(histogram)) => !histogram.data_points.is_empty(),
        _ => false,
    }
}
