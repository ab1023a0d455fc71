//! Text that is nobody's business.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is shown instead.
const HIDDEN: &str = "***";

/// A token, a password, or an address that holds one. It is shown as `***`, whoever asks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whom it is meant.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without this secret, in case somebody has quoted it.
    #[must_use]
    pub fn hidden_in(&self, text: &str) -> String {
        // What is shorter is in any text by accident.
        if self.0.len() < 4 {
            return text.to_owned();
        }
        let hidden = text.replace(&self.0, HIDDEN);
        // `Bearer TOKEN`, of which the token alone may be quoted.
        match self.0.split_once(' ') {
            Some((_, token)) if token.len() >= 4 => hidden.replace(token, HIDDEN),
            _ => hidden,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

/// Takes text. Of anything else serde would quote the value in its error: a token of digits alone, say.
struct Text;

impl Text {
    fn wrong<E: de::Error>() -> E {
        E::custom("a secret is text: put it in quotes")
    }
}

impl de::Visitor<'_> for Text {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret(text))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(Self::wrong())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(Self::wrong())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(Self::wrong())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(Self::wrong())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn is_not_shown() {
        let secret = Secret::new("Bearer hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).expect("text"), "\"***\"");
        assert_eq!(
            secret.hidden_in("no `Bearer hunter2`, no hunter2 here"),
            "no `***`, no *** here"
        );
        assert_eq!(Secret::new("a").hidden_in("a cat"), "a cat");
    }

    #[test]
    fn no_error_quotes_it() {
        for wrong in ["a = 123456", "a = true", "a = 1234.56"] {
            let error = toml::from_str::<BTreeMap<String, Secret>>(wrong).expect_err("no text");
            assert_eq!(error.message(), "a secret is text: put it in quotes");
        }
        let right: BTreeMap<String, Secret> = toml::from_str("a = 'b'").expect("text");
        assert_eq!(right["a"].reveal(), "b");
    }
}
