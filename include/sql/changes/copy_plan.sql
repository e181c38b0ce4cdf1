-- One row per planned change.
copy staged_plan (position, subject, market, payload, status, reason) from stdin
