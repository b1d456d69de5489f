-- What a province may add up of a county: numbers of people, never people. No cell names anybody: groups of
-- fewer than ten are shown as 0.
WITH counted AS (
  SELECT 'patients' AS figure, count(*) AS n FROM patients WHERE ended_on IS NULL
  UNION ALL SELECT 'users', count(*) FROM users WHERE active
  UNION ALL SELECT 'visits', count(*) FROM visits WHERE NOT voided
  UNION ALL SELECT 'visits in 30 days', count(*) FROM visits
    WHERE NOT voided AND visited_on > current_date - 30
  UNION ALL SELECT 'seen in 90 days', count(DISTINCT patient_id) FROM visits
    WHERE NOT voided AND visited_on > current_date - 90
  UNION ALL SELECT 'grade ' || g.colour, count(*) FROM current_grades g
    JOIN patients p ON p.id = g.patient_id AND p.ended_on IS NULL GROUP BY g.colour
  UNION ALL SELECT 'orders ' || state, count(*) FROM orders GROUP BY state
)
SELECT figure, CASE WHEN n < 10 THEN 0 ELSE n END AS n FROM counted ORDER BY figure
