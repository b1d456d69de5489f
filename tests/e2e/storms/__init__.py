"""What happens to phones on the road, many times over, with the books checked after each time.

COUNTS: how often each storm takes place in an ordinary test run, which all share one minute.
"""

COUNTS = {
    "kills": 2,
    "updates": 2,
    "renewals": 1,
    "expiries": 1,
    "quotas": 1,
    "flips": 8,
    "tabs": 1,
    "edits": 3,
}
VISITS = 5  # saved while the line flips
