"""The leaderboard: tables, statistics and a page, from the rows of a results folder alone and without torch."""
