//! In a build without the feature nobody is asked, and a configuration that wants it is refused.

use std::convert::Infallible;

use thiserror::Error;

use super::{Health, KubernetesConfig, Source};
use crate::{discover::Pods, report::node::Pod};

/// There is none.
pub struct Kubernetes(Infallible);

/// Why nobody is asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KubernetesError {
    /// It has been left out of this build.
    #[error(
        "[kubernetes] is configured, but this gostray was built without it; build it with the feature `kubernetes`, or \
         set source = \"none\""
    )]
    LeftOut,
}

impl Kubernetes {
    /// `None` where nobody is to be asked.
    ///
    /// # Errors
    /// Somebody is.
    pub fn start(config: &KubernetesConfig) -> Result<Option<Self>, KubernetesError> {
        match config.source {
            Source::None => Ok(None),
            _ => Err(KubernetesError::LeftOut),
        }
    }

    /// How the questions went.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.0 {}
    }
}

impl Pods for Kubernetes {
    fn pod(&self, _: &str, _: &str) -> Option<(Pod, Option<String>, Option<String>)> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_it_is_told() {
        let mut config = KubernetesConfig::default();
        assert!(matches!(Kubernetes::start(&config), Ok(None)));
        config.source = Source::Kubelet;
        let error = Kubernetes::start(&config)
            .err()
            .map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("feature `kubernetes`")));
    }
}
