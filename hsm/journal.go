package hsm

import (
	"context"
	"fmt"
	"time"
)

// JournalEntry is one line of the card engine's own log: it holds no secret and no
// card number.
type JournalEntry struct {
	Number    int
	When      time.Time
	By        string // display name of the token
	Entity    string // Vault's, when the token has one
	Command   string // path without the names in it
	Operation string
	Keys      string // names of keys and profile, with commas
	Subject   string // identifiers, with commas
	Outcome   string // ok, a code word, or error
	Count     int    // of a command that is counted: how often since Since
	Since     time.Time
}

// maxJournaled is the engine's limit of one answer.
const maxJournaled = 1000

// Journal reads entries after a number, oldest first, at most 1 000.
func (c *Client) Journal(ctx context.Context, after int) ([]JournalEntry, error) {
	const doing = "read the card engine's journal"
	var answer struct {
		Entries []struct {
			Number    number    `json:"number"`
			When      time.Time `json:"when"`
			By        string    `json:"by"`
			Entity    string    `json:"entity"`
			Command   string    `json:"command"`
			Operation string    `json:"operation"`
			Keys      string    `json:"keys"`
			Subject   string    `json:"subject"`
			Outcome   string    `json:"outcome"`
			Count     number    `json:"count"`
			Since     time.Time `json:"since"`
		} `json:"entries"`
	}
	parameters := map[string][]string{"after": {fmt.Sprint(after)}, "limit": {fmt.Sprint(maxJournaled)}}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	response, err := c.vault.Logical().ReadRawWithDataWithContext(ctx, c.config.CardMount+"/audit", parameters)
	if err := readAnswer(ctx, doing, response, err, &answer); err != nil {
		return nil, err
	}
	entries := make([]JournalEntry, len(answer.Entries))
	for i, e := range answer.Entries {
		entries[i] = JournalEntry{
			Number: int(e.Number), When: e.When, By: e.By, Entity: e.Entity, Command: e.Command, Operation: e.Operation,
			Keys: e.Keys, Subject: e.Subject, Outcome: e.Outcome, Count: int(e.Count), Since: e.Since,
		}
	}
	return entries, nil
}
