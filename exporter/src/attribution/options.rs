//! How costs are attributed: what of it a customer chooses.

use serde::{Deserialize, Serialize};

/// Which cost of a billing line counts (cur_attribution 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CostModel {
    /// Upfront payments are spread over what they pay for, reserved and covered usage has its price: right for a single resource.
    #[default]
    Amortized,
    /// As invoiced, line by line: matches an invoice, not a resource.
    Unblended,
    /// As invoiced, after private discounts.
    Net,
    /// At the average rates of the organization.
    Blended,
}

impl CostModel {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Amortized, Self::Unblended, Self::Net, Self::Blended];

    /// As in `actual.model.cost_model`, and as configured.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amortized => "amortized",
            Self::Unblended => "unblended",
            Self::Net => "net",
            Self::Blended => "blended",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.as_str() == name)
    }

    /// Column of the cost facts.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Amortized => "cost_amortized",
            Self::Unblended => "cost_unblended",
            Self::Net => "cost_net",
            Self::Blended => "cost_blended",
        }
    }

    /// Column of the cost facts that has what of the cost is split off.
    pub(super) fn split_column(self) -> &'static str {
        match self {
            Self::Amortized => "split_cost_amortized",
            Self::Unblended => "split_cost_unblended",
            Self::Net => "split_cost_net",
            Self::Blended => "split_cost_blended",
        }
    }
}

/// How costs are attributed to findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributionOptions {
    /// Which cost of a line counts.
    pub model: CostModel,
    /// Tags that tell a resource, in order. Keys that many resources share (team, cost center) do not belong here.
    pub tag_keys: Vec<String>,
    /// Charge categories that no finding is given.
    pub excluded_charge_categories: Vec<String>,
    /// Give a finding about a resource without lines the cost of the whole service of its account.
    pub resource_rollup: bool,
}

impl Default for AttributionOptions {
    fn default() -> Self {
        Self {
            model: CostModel::default(),
            tag_keys: ["Name", "app", "application"].map(str::to_owned).to_vec(),
            excluded_charge_categories: vec!["Tax".to_owned()],
            resource_rollup: false,
        }
    }
}

/// [`AttributionOptions`] as they are stored, and what tells that findings are to be priced again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostSettings {
    /// Which cost of a billing line counts.
    pub cost_model: String,
    /// Tags that tell a resource.
    pub tag_keys: Vec<String>,
    /// Charge categories that no finding is given.
    pub excluded_charge_categories: Vec<String>,
    /// True when a finding about a resource without lines is given the cost of its service.
    pub resource_rollup: bool,
}

impl CostSettings {
    /// Of the options.
    #[must_use]
    pub fn of(options: &AttributionOptions) -> Self {
        Self {
            cost_model: options.model.as_str().to_owned(),
            tag_keys: options.tag_keys.clone(),
            excluded_charge_categories: options.excluded_charge_categories.clone(),
            resource_rollup: options.resource_rollup,
        }
    }
}
