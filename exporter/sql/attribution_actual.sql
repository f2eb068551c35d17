CASE
    WHEN attributed.has_overflow OR coalesce(lower(trim({method})), '') NOT IN ('', 'none') THEN {stored}
    ELSE {
        'cost_7d': attributed.cost_7d, 'cost_30d': attributed.cost_30d, 'cost_mtd': attributed.cost_mtd,
        'cost_prev_month': attributed.cost_prev_month, 'savings_7d': arrived.savings_7d,
        'savings_30d': arrived.savings_30d,
        'model': {
            'currency': attributed.currency,
            'cost_model': CASE WHEN attributed.method IS NOT NULL THEN {cost_model} END,
            'granularity': attributed.granularity,
            'period_start': CASE WHEN attributed.method IS NOT NULL THEN attributed.as_of - 30 END,
            'period_end': CASE WHEN attributed.method IS NOT NULL THEN attributed.as_of END
        },
        'attribution': {
            'method': coalesce(attributed.method, 'none'),
            'confidence': CAST(coalesce(attributed.confidence, 0) AS UTINYINT),
            'matched_keys': coalesce(attributed.matched_keys, CAST([] AS VARCHAR[]))
        }
    }
END
