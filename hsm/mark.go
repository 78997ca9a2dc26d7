package hsm

import (
	"context"
	"errors"
	"strconv"
)

// marks are whole numbers by name, which travel as text.
type marks struct {
	Marks map[string]string `json:"marks"`
}

// Marks are the numbers that the card engine keeps under a name beside the
// database; nothing is marked yet when there are none.
func (c *Client) Marks(ctx context.Context, name string) (map[string]int64, error) {
	path, err := c.marksPath(name)
	if err != nil {
		return nil, err
	}
	var answer marks
	if err := c.get(ctx, "read the marks "+name, path, &answer); err != nil {
		return nil, err
	}
	all := make(map[string]int64, len(answer.Marks))
	for mark, text := range answer.Marks {
		if all[mark], err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, errors.New("read the marks " + name + ": Vault's answer is not what its API promises")
		}
	}
	return all, nil
}

// RaiseMarks raises the marks that are given, all or none;
// [lifecycle.Conflict] when one stands higher. The same again changes nothing.
func (c *Client) RaiseMarks(ctx context.Context, name string, to map[string]int64) error {
	path, err := c.marksPath(name)
	if err != nil {
		return err
	}
	request := marks{make(map[string]string, len(to))}
	for mark, value := range to {
		request.Marks[mark] = strconv.FormatInt(value, 10)
	}
	return c.post(ctx, "raise the marks "+name, path, request, nil)
}

func (c *Client) marksPath(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return c.config.CardMount + "/marks/" + name, nil
}
