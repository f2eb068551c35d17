//! Names of services: the family that joins findings with billing rows, and the product code of a long name.
//! Checkers and exports spell services in many ways; without this table most joins fail. Producers store the
//! family with each cost fact, the exporter gives it to findings, so both must read the same table.

/// One family: its name, the product code findings carry, and all spellings in canonical form.
struct Family {
    name: &'static str,
    product_code: &'static str,
    spellings: &'static [&'static str],
}

const fn family(name: &'static str, product_code: &'static str, spellings: &'static [&'static str]) -> Family {
    Family { name, product_code, spellings }
}

const FAMILIES: &[Family] = &[
    family(
        "ec2",
        "AmazonEC2",
        &[
            "amazonec2",
            "ec2",
            "amazonelasticcomputecloud",
            "amazonelasticcomputecloudcompute",
            "ec2other",
            "ebs",
            "amazonebs",
            "amazonelasticblockstore",
        ],
    ),
    family("vpc", "AmazonVPC", &["amazonvpc", "vpc", "amazonvirtualprivatecloud"]),
    family("s3", "AmazonS3", &["amazons3", "s3", "amazonsimplestorageservice"]),
    family("rds", "AmazonRDS", &["amazonrds", "rds", "amazonrelationaldatabaseservice"]),
    family("lambda", "AWSLambda", &["awslambda", "lambda"]),
    family("cloudwatch", "AmazonCloudWatch", &["amazoncloudwatch", "cloudwatch", "logs", "cloudwatchlogs"]),
    family("elb", "AWSELB", &["awselb", "elb", "elbv2", "elasticloadbalancing", "amazonelasticloadbalancing"]),
    family("ecs", "AmazonECS", &["amazonecs", "ecs", "amazonelasticcontainerservice"]),
    family(
        "eks",
        "AmazonEKS",
        &["amazoneks", "eks", "amazonelastickubernetesservice", "amazonelasticcontainerserviceforkubernetes"],
    ),
    family("efs", "AmazonEFS", &["amazonefs", "efs", "amazonelasticfilesystem"]),
    family("fsx", "AmazonFSx", &["amazonfsx", "fsx"]),
    family("backup", "AWSBackup", &["awsbackup", "backup"]),
    family("cloudfront", "AmazonCloudFront", &["amazoncloudfront", "cloudfront"]),
    family("dynamodb", "AmazonDynamoDB", &["amazondynamodb", "dynamodb"]),
    family("cloudtrail", "AWSCloudTrail", &["awscloudtrail", "cloudtrail"]),
    family(
        "ecr",
        "AmazonECR",
        &["amazonecr", "ecr", "amazonec2containerregistryecr", "amazonelasticcontainerregistry"],
    ),
    family("kms", "awskms", &["awskms", "kms", "awskeymanagementservice"]),
    family("route53", "AmazonRoute53", &["amazonroute53", "route53"]),
    family("sns", "AmazonSNS", &["amazonsns", "sns", "amazonsimplenotificationservice"]),
    family("sqs", "AWSQueueService", &["awsqueueservice", "sqs", "amazonsqs", "amazonsimplequeueservice"]),
    family("ssm", "AWSSystemsManager", &["awssystemsmanager", "ssm"]),
    family("states", "AmazonStates", &["amazonstates", "states", "awsstepfunctions", "stepfunctions"]),
    family("waf", "awswaf", &["awswaf", "waf", "wafv2"]),
    family("savingsplans", "ComputeSavingsPlans", &["computesavingsplans", "savingsplansforawscomputeusage"]),
    family("support", "AWSSupportBusiness", &["awssupportbusiness", "awssupportenterprise", "awssupportdeveloper"]),
];

fn find(service: &str) -> (String, Option<&'static Family>) {
    let key: String = service.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let family = FAMILIES.iter().find(|family| family.spellings.contains(&key.as_str()));
    (key, family)
}

/// The family of a service code or name; an unknown one is its own family.
#[must_use]
pub fn family_of(service: &str) -> String {
    let (key, family) = find(service);
    family.map_or(key, |family| family.name.to_owned())
}

/// The product code billing uses for a service given by code or long name; an unknown one is kept as it is.
#[must_use]
pub fn product_code(service: &str) -> &str {
    let (_, family) = find(service);
    match family {
        // Support plans are one family but distinct products: keep the given code.
        Some(family) if family.name != "support" => family.product_code,
        _ => service,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_service_meet() {
        let cases = [
            ("Amazon Elastic Compute Cloud - Compute", "ec2", "AmazonEC2"),
            ("EC2 - Other", "ec2", "AmazonEC2"),
            ("elbv2", "elb", "AWSELB"),
            ("Amazon Elastic Container Service for Kubernetes", "eks", "AmazonEKS"),
            ("AWSSupportEnterprise", "support", "AWSSupportEnterprise"),
            ("Storage Accounts", "storageaccounts", "Storage Accounts"),
        ];
        for (given, family, code) in cases {
            assert_eq!((family_of(given).as_str(), product_code(given)), (family, code), "{given}");
        }
    }

    #[test]
    fn no_spelling_names_two_families() {
        let mut seen = std::collections::BTreeSet::new();
        for family in FAMILIES {
            for spelling in family.spellings {
                assert!(seen.insert(spelling), "{spelling} is in two families");
            }
        }
    }
}
