//! What succeeds the instance types of previous generations, by cloud.

/// An instance type of a previous generation, and what succeeds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Succession {
    /// Family, as `families_ignored` names it.
    pub(super) family: String,
    /// The family that succeeds it.
    pub(super) successor: &'static str,
    /// Types of the successor for the same work, the closest first; none where no size of it is a counterpart to compare prices with.
    pub(super) same_work: Vec<String>,
}

/// Of an instance type; `None` when it is no previous generation, or unknown.
pub(super) fn of(cloud: &str, instance_type: &str) -> Option<Succession> {
    match cloud {
        "aws" => of_aws(instance_type),
        "azure" => of_azure(instance_type),
        "gcp" => of_google(instance_type),
        _ => None,
    }
}

/// A family of AWS, its successor, and sizes that the successor has too, for the same work.
type AwsFamily = (&'static str, &'static str, &'static [&'static str]);

/// Families AWS calls previous generation, or that have a direct successor.
const AWS: [AwsFamily; 18] = [
    ("c1", "c5", &[]),
    ("c3", "c5", &["large", "xlarge", "2xlarge", "4xlarge"]),
    ("c4", "c5", &["large", "xlarge", "2xlarge", "4xlarge"]),
    ("cc2", "c5", &[]),
    ("cr1", "r5", &["8xlarge"]),
    ("d2", "d3", &["xlarge", "2xlarge", "4xlarge"]),
    ("g2", "g4dn", &[]),
    ("g3", "g4dn", &["4xlarge"]),
    ("i2", "i3", &["xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    ("m1", "m5", &["large", "xlarge"]),
    ("m2", "r5", &[]),
    ("m3", "m5", &["large", "xlarge", "2xlarge"]),
    ("m4", "m5", &["large", "xlarge", "2xlarge", "4xlarge", "16xlarge"]),
    ("p2", "g4dn", &[]),
    ("r3", "r5", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    ("r4", "r5", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"]),
    ("t1", "t3", &["micro"]),
    ("t2", "t3", &["nano", "micro", "small", "medium", "large", "xlarge", "2xlarge"]),
];

fn of_aws(instance_type: &str) -> Option<Succession> {
    let (name, size) = instance_type.split_once('.')?;
    let (_, successor, sizes) = AWS.iter().find(|(family, ..)| *family == name)?;
    let same_work = sizes.contains(&size).then(|| format!("{successor}.{size}"));
    Some(Succession { family: name.to_owned(), successor, same_work: same_work.into_iter().collect() })
}

/// A family of Azure: letters and version, its successor, and for the number in the name of a size the successor's size for the same
/// work.
struct AzureFamily {
    letters: &'static str,
    version: &'static str,
    successor: &'static str,
    sizes: &'static [(u16, &'static str)],
}

const fn azure(
    letters: &'static str,
    version: &'static str,
    successor: &'static str,
    sizes: &'static [(u16, &'static str)],
) -> AzureFamily {
    AzureFamily { letters, version, successor, sizes }
}

/// Dv2 has its number of the size, not of the cores: `D3 v2` has 4 cores with 14 GiB, `D13 v2` 8 with 56 GiB.
const DV2: &[(u16, &str)] = &[
    (2, "D2s v5"),
    (3, "D4s v5"),
    (4, "D8s v5"),
    (5, "D16s v5"),
    (11, "E2s v5"),
    (12, "E4s v5"),
    (13, "E8s v5"),
    (14, "E16s v5"),
];
const DV3: &[(u16, &str)] =
    &[(2, "D2s v5"), (4, "D4s v5"), (8, "D8s v5"), (16, "D16s v5"), (32, "D32s v5"), (48, "D48s v5"), (64, "D64s v5")];
const EV3: &[(u16, &str)] =
    &[(2, "E2s v5"), (4, "E4s v5"), (8, "E8s v5"), (16, "E16s v5"), (20, "E20s v5"), (32, "E32s v5"), (48, "E48s v5")];
/// 2 GiB for each core, as F.
const F: &[(u16, &str)] = &[
    (2, "D2ls v5"),
    (4, "D4ls v5"),
    (8, "D8ls v5"),
    (16, "D16ls v5"),
    (32, "D32ls v5"),
    (48, "D48ls v5"),
    (64, "D64ls v5"),
];
const LV2: &[(u16, &str)] =
    &[(8, "L8s v3"), (16, "L16s v3"), (32, "L32s v3"), (48, "L48s v3"), (64, "L64s v3"), (80, "L80s v3")];

/// Families that Azure calls previous generations, and those whose retirement it has announced: D, Ds, Dv2, DSv2 and Ls for May 2028, F,
/// Fs, Fsv2, Lsv2, G, Gs, Av2, Amv2 and B for November 2028.
///
/// Source: github.com/Azure/EOL `service_list.json`, December 2025; sizes of learn.microsoft.com/azure/virtual-machines/sizes.
const AZURE: [AzureFamily; 13] = [
    azure("A", "v2", "Basv2", &[]),
    azure("B", "", "Bsv2", &[]),
    azure("D", "", "Dsv5", &[]),
    azure("D", "v2", "Dsv5", DV2),
    azure("D", "v3", "Dsv5", DV3),
    azure("E", "v3", "Esv5", EV3),
    azure("F", "", "Dlsv5", F),
    azure("F", "v2", "Dlsv5", F),
    azure("G", "", "Esv5", &[]),
    azure("L", "", "Lsv3", &[]),
    azure("L", "v2", "Lsv3", LV2),
    azure("DS", "", "Dsv5", &[]),
    azure("DS", "v2", "Dsv5", DV2),
];

/// `D4s v3` of `D4 v3/D4s v3`, whose types have one price.
fn of_azure(instance_type: &str) -> Option<Succession> {
    let name = instance_type.split('/').next()?;
    let (size, version) = name.split_once(' ').unwrap_or((name, ""));
    let version = version.split(' ').next().unwrap_or_default();
    let digits = size.find(|c: char| c.is_ascii_digit())?;
    let (letters, rest) = size.split_at_checked(digits)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, suffix) = rest.split_at_checked(end)?;
    // Letters behind the number mean premium storage or more memory; others are families of their own, as `D4as v4`.
    let is_plain = matches!(suffix, "" | "s" | "m" | "ms" | "ls");
    let known = AZURE.iter().find(|family| family.letters == letters && family.version == version);
    let family = known.filter(|_| is_plain)?;
    let number: u16 = number.parse().ok()?;
    let same = family.sizes.iter().find(|(size, _)| *size == number && matches!(suffix, "" | "s"));
    Some(Succession {
        family: format!("{letters}{version}"),
        successor: family.successor,
        // Types without premium storage have the price of those with it.
        same_work: same.into_iter().flat_map(|(_, name)| [(*name).to_owned(), name.replace("s v", " v")]).collect(),
    })
}

/// Machines of Google Cloud by type. Most are charged by core and memory instead, see [`google_family`].
fn of_google(instance_type: &str) -> Option<Succession> {
    let (family, successor) = match instance_type {
        "f1-micro" => ("f1", "e2-micro"),
        "g1-small" => ("g1", "e2-small"),
        _ if instance_type.starts_with("n1-") => ("n1", "E2"),
        _ => return None,
    };
    let standard = instance_type.strip_prefix("n1-standard-").map(|cores| format!("e2-standard-{cores}"));
    let small = (family != "n1").then(|| successor.to_owned());
    Some(Succession { family: family.to_owned(), successor, same_work: standard.or(small).into_iter().collect() })
}

/// The successor of a family whose cores and memory are charged: N1 is the first generation of Google Cloud's machines.
///
/// Source: cloud.google.com/compute/docs/machine-resource, November 2026.
pub(super) fn google_family(family: &str) -> Option<&'static str> {
    (family == "N1").then_some("E2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previous_generations_have_successors() {
        let cases = [
            ("aws", "m4.large", "m4", "m5", "m5.large"),
            ("aws", "m4.10xlarge", "m4", "m5", ""),
            ("azure", "D2 v3/D2s v3", "Dv3", "Dsv5", "D2s v5"),
            ("azure", "D4s v3", "Dv3", "Dsv5", "D4s v5"),
            ("azure", "D11 v2/DS11 v2", "Dv2", "Dsv5", "E2s v5"),
            ("azure", "DS3 v2", "DSv2", "Dsv5", "D4s v5"),
            ("azure", "DS1 v2", "DSv2", "Dsv5", ""),
            ("azure", "E8-4s v3", "", "", ""),
            ("azure", "E64i v3", "", "", ""),
            ("azure", "F4s v2", "Fv2", "Dlsv5", "D4ls v5"),
            ("azure", "F8s", "F", "Dlsv5", "D8ls v5"),
            ("azure", "B2ms", "B", "Bsv2", ""),
            ("azure", "B2s v2", "", "", ""),
            ("azure", "D4s v5", "", "", ""),
            ("azure", "D4as v4", "", "", ""),
            ("gcp", "n1-standard-4", "n1", "E2", "e2-standard-4"),
            ("gcp", "n1-highmem-4", "n1", "E2", ""),
            ("gcp", "f1-micro", "f1", "e2-micro", "e2-micro"),
            ("gcp", "e2-standard-4", "", "", ""),
            ("oci", "m4.large", "", "", ""),
        ];
        for (cloud, instance_type, family, successor, same) in cases {
            let found = of(cloud, instance_type);
            let seen = found.as_ref().map(|found| {
                (&*found.family, found.successor, found.same_work.first().map(String::as_str).unwrap_or_default())
            });
            assert_eq!(seen.unwrap_or_default(), (family, successor, same), "{cloud} {instance_type}");
        }
    }
}
