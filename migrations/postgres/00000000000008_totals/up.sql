-- How many rows the tables of the console have, by what they are filtered by: kept, not counted each time.

CREATE TABLE listing_totals (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    listing   TEXT NOT NULL,
    -- What its rows have in common: the words of each filter.
    facets    TEXT NOT NULL,
    total     BIGINT NOT NULL CHECK (total >= 0),
    PRIMARY KEY (tenant_id, listing, facets)
);
INSERT INTO listing_totals (tenant_id, listing, facets, total)
    SELECT tenant_id, 'incidents',
        (CASE WHEN resolved_at IS NULL THEN 'open' ELSE 'over' END) || '/' || severity || '/' || category || '/' || cause_type,
        COUNT(*)
    FROM incidents GROUP BY 1, 2, 3;
INSERT INTO listing_totals (tenant_id, listing, facets, total)
    SELECT tenant_id, 'policy_rules', status || '/' || enforcement_mode || '/' || scope || '/' || source, COUNT(*)
    FROM policy_rules GROUP BY 1, 2, 3;
INSERT INTO listing_totals (tenant_id, listing, facets, total)
    SELECT tenant_id, 'limits', category || '/' || status || '/' || scope || '/' || enforcement, COUNT(*)
    FROM limits GROUP BY 1, 2, 3;
