//! The service categories of FOCUS with their subcategories. Facts as in [`super::columns`].

/// Service categories with their subcategories. Each has `Other (<category>)`, too.
const SERVICES: &[(&str, &[&str])] = &[
    (
        "AI and Machine Learning",
        &["AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing"],
    ),
    (
        "Analytics",
        &["Analytics Platforms", "Business Intelligence", "Data Processing", "Search", "Streaming Analytics"],
    ),
    ("Business Applications", &["Productivity and Collaboration"]),
    ("Compute", &["Containers", "End User Computing", "Quantum Compute", "Serverless Compute", "Virtual Machines"]),
    (
        "Databases",
        &[
            "Caching",
            "Data Warehouses",
            "Ledger Databases",
            "NoSQL Databases",
            "Relational Databases",
            "Time Series Databases",
        ],
    ),
    (
        "Developer Tools",
        &[
            "Developer Platforms",
            "Continuous Integration and Deployment",
            "Development Environments",
            "Source Code Management",
            "Quality Assurance",
        ],
    ),
    ("Identity", &["Identity and Access Management"]),
    ("Integration", &["API Management", "Messaging", "Workflow Orchestration"]),
    ("Internet of Things", &["IoT Analytics", "IoT Platforms"]),
    (
        "Management and Governance",
        &[
            "Architecture",
            "Compliance",
            "Cost Management",
            "Data Governance",
            "Disaster Recovery",
            "Endpoint Management",
            "Observability",
            "Support",
        ],
    ),
    ("Media", &["Content Creation", "Gaming", "Media Streaming", "Mixed Reality"]),
    ("Migration", &["Data Migration", "Resource Migration"]),
    ("Mobile", &[]),
    ("Multicloud", &["Multicloud Integration"]),
    (
        "Networking",
        &[
            "Application Networking",
            "Content Delivery",
            "Network Connectivity",
            "Network Infrastructure",
            "Network Routing",
            "Network Security",
        ],
    ),
    ("Other", &[]),
    ("Security", &["Secret Management", "Security Posture Management", "Threat Detection and Response"]),
    ("Storage", &["Backup Storage", "Block Storage", "File Storage", "Object Storage", "Storage Platforms"]),
    ("Web", &["Application Platforms"]),
];

/// True for one of the service categories.
pub(super) fn is_category(text: &str) -> bool {
    SERVICES.iter().any(|(category, _)| *category == text)
}

/// The category that a service subcategory belongs to.
pub(super) fn category_of(subcategory: &str) -> Option<&'static str> {
    let other = subcategory.strip_prefix("Other (").and_then(|rest| rest.strip_suffix(')'));
    let found = SERVICES.iter().find(|(category, subs)| other == Some(*category) || subs.contains(&subcategory));
    found.map(|(category, _)| *category)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subcategory_belongs_to_one_category() {
        let mut all: Vec<_> = SERVICES.iter().flat_map(|(_, subs)| subs.iter()).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!((count, all.len()), (63, 63));
        assert_eq!(category_of("Other (Web)"), Some("Web"));
        assert_eq!(category_of("Virtual Machines"), Some("Compute"));
        assert_eq!(category_of("virtual machines"), None);
    }
}
