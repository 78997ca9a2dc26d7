package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/lifecycle"
)

// eventRoutes tell a service what moved.
func (d *door) eventRoutes() []func() {
	return []func(){
		route(d, authn.ScopeReadEvents, huma.Operation{
			OperationID: "list-events", Method: http.MethodGet, Path: "/v1/events", Tags: []string{"events"},
			Summary: "Read what moved, oldest first",
			Description: "Of the caller's own authentications, and of the means of users who have proven themselves to the caller once: cards, certificates, other means, emergency stops. " +
				"Keep the identifier of the last event and read on after it: none is passed over. Events are kept for 90 days.",
		}, d.events),
	}
}

type eventsIn struct {
	After lifecycle.EventID `query:"after" maxLength:"32" doc:"Identifier of the last event that the caller has; left out: from the first on"`
	Limit int               `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type eventBody struct {
	ID      lifecycle.EventID `json:"id"`
	Type    string            `json:"type" doc:"Thing and state, as card.opposed"`
	Subject string            `json:"subject" doc:"Identifier of the thing: read what it is now"`
	At      time.Time         `json:"at"`
}

type eventsOut struct {
	Body struct {
		Events  []eventBody `json:"events"`
		HasMore bool        `json:"has_more" doc:"There are others after the last of these"`
	}
}

func (d *door) events(ctx context.Context, in *eventsIn) (*eventsOut, error) {
	events, more, err := d.Authn.Events(ctx, caller(ctx), in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &eventsOut{}
	out.Body.Events, out.Body.HasMore = make([]eventBody, len(events)), more
	for i, e := range events {
		out.Body.Events[i] = eventBody(e)
	}
	return out, nil
}
