//! The short name of a cloud, from the names its provider gives itself.

/// Providers that name themselves in many ways, and the short name findings use.
const CLOUDS: [(&str, &str); 10] = [
    ("amazon", "aws"),
    ("microsoft", "azure"),
    ("azure", "azure"),
    ("oracle", "oci"),
    ("google", "gcp"),
    ("alibaba", "alibaba"),
    ("tencent", "tencent"),
    ("aws", "aws"),
    ("gcp", "gcp"),
    ("oci", "oci"),
];

/// The cloud a company's name speaks of: a known name begins one of its words, and short names are a word.
#[must_use]
pub fn known_cloud(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.find_map(|word| {
        let is_named =
            |(known, _): &&(&str, &str)| if known.len() > 3 { word.starts_with(known) } else { word == *known };
        CLOUDS.iter().find(is_named).map(|(_, cloud)| *cloud)
    })
}

/// The short name findings use for a provider.
#[must_use]
pub fn cloud_of(provider: &str) -> String {
    match known_cloud(provider) {
        Some(cloud) => cloud.to_owned(),
        None if provider.is_empty() => "unknown".to_owned(),
        None => provider.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_have_short_names() {
        let cases = [
            ("AWS", "aws"),
            ("Amazon Web Services, Inc.", "aws"),
            ("AmazonWebServices", "aws"),
            ("Microsoft", "azure"),
            ("Microsoft Azure", "azure"),
            ("Oracle", "oci"),
            ("Google Cloud", "gcp"),
            ("GCP", "gcp"),
            ("Hetzner", "hetzner"),
            ("Lawson Society", "lawson society"),
        ];
        for (provider, expected) in cases {
            assert_eq!(cloud_of(provider), expected);
        }
    }
}
