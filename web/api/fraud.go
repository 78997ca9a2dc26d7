package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
)

// fraudRoutes stop everything of a user, and keep reports.
func (d *door) fraudRoutes() []func() {
	return []func(){
		route(d, authn.ScopeStop, huma.Operation{
			OperationID: "stop", Method: http.MethodPost, Path: "/v1/stops", Tags: []string{"fraud"},
			Summary: "Stop all means of a user, or of a company, at once", DefaultStatus: http.StatusCreated,
			Description: "The identifier is the dated receipt of PSD2 article 70. Asking again answers the first. Certificates are put on hold where their profile allows it; " +
				"those of `to_revoke` are trusted by whoever relies on lists until somebody revokes them, which is for ever.",
		}, d.stop),
		route(d, authn.ScopeStop, huma.Operation{
			OperationID: "get-stop", Method: http.MethodGet, Path: "/v1/stops/{id}", Tags: []string{"fraud"}, Summary: "Read an emergency stop",
		}, d.getStop),
		route(d, authn.ScopeReportFraud, huma.Operation{
			OperationID: "report-fraud", Method: http.MethodPost, Path: "/v1/fraud-reports", Tags: []string{"fraud"},
			Summary: "Report a suspicious message, call, site or operation", DefaultStatus: http.StatusCreated,
			Description: "Staff look at it. Card numbers and codes in it are masked before it is kept. The identifier is the receipt.",
		}, d.reportFraud),
		route(d, authn.ScopeReportFraud, huma.Operation{
			OperationID: "get-fraud-report", Method: http.MethodGet, Path: "/v1/fraud-reports/{id}", Tags: []string{"fraud"},
			Summary: "See what became of a report of the caller's",
		}, d.getFraudReport),
	}
}

type stopIn struct {
	Body struct {
		ClientID   string `json:"client_id" pattern:"^[0-9]{8}$"`
		UserNumber string `json:"user_number,omitempty" pattern:"^[0-9]{4}$" doc:"Left out: every user of the company"`
		Reason     string `json:"reason" enum:"lost,stolen,fraud,phished,other"`
		Note       string `json:"note,omitempty" maxLength:"500"`
	}
}

type stopOut struct {
	Body struct {
		ID       lifecycle.StopID          `json:"id" doc:"The receipt: keep it"`
		State    lifecycle.StopState       `json:"state"`
		Reason   string                    `json:"reason"`
		Holder   lifecycle.HolderID        `json:"holder,omitempty" doc:"Missing: every user of the company"`
		Made     time.Time                 `json:"made"`
		Held     []lifecycle.CertificateID `json:"held,omitempty" doc:"Certificates that are on hold"`
		ToRevoke []lifecycle.CertificateID `json:"to_revoke,omitempty" doc:"Certificates that cannot be held"`
	}
}

func stopOutOf(s issuance.Stop) *stopOut {
	out := &stopOut{}
	b := &out.Body
	b.ID, b.State, b.Reason, b.Holder, b.Made, b.Held, b.ToRevoke = s.ID, s.State, s.Reason, s.Holder, s.Made, s.Held, s.ToRevoke
	return out
}

func (d *door) stop(ctx context.Context, in *stopIn) (*stopOut, error) {
	made, err := d.Service.EmergencyStop(ctx, caller(ctx), issuance.StopRequest(in.Body))
	if err != nil {
		return nil, err
	}
	return stopOutOf(made), nil
}

func (d *door) getStop(ctx context.Context, in *struct {
	ID lifecycle.StopID `path:"id" maxLength:"32" doc:"The receipt"`
},
) (*stopOut, error) {
	found, err := d.Service.Stop(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return stopOutOf(found), nil
}

type reportFraudIn struct {
	Body struct {
		Kind       string         `json:"kind" enum:"message,call,site,operation"`
		Told       string         `json:"told" minLength:"1" maxLength:"4000" doc:"What happened, in the reporter's words"`
		ClientID   string         `json:"client_id,omitempty" pattern:"^[0-9]{8}$"`
		UserNumber string         `json:"user_number,omitempty" pattern:"^[0-9]{4}$"`
		Operation  string         `json:"operation,omitempty" maxLength:"64" doc:"The operation, by the caller's reference"`
		Happened   time.Time      `json:"happened,omitzero"`
		Contact    string         `json:"contact,omitempty" maxLength:"200" doc:"Where the reporter is reached; staff call back by the number on record"`
		Language   party.Language `json:"language,omitempty" enum:"fr,nl,de,en" default:"fr"`
	}
}

type fraudReportOut struct {
	Body struct {
		ID       lifecycle.FraudReportID `json:"id" doc:"The receipt: keep it"`
		Kind     string                  `json:"kind"`
		State    lifecycle.FraudState    `json:"state"`
		Received time.Time               `json:"received"`
		Updated  time.Time               `json:"updated"`
	}
}

func fraudReportOutOf(r issuance.FraudReport) *fraudReportOut {
	out := &fraudReportOut{}
	out.Body.ID, out.Body.Kind, out.Body.State, out.Body.Received, out.Body.Updated = r.ID, r.Kind, r.State, r.Received, r.Updated
	return out
}

func (d *door) reportFraud(ctx context.Context, in *reportFraudIn) (*fraudReportOut, error) {
	b := in.Body
	kept, err := d.Service.ReportFraud(ctx, caller(ctx), issuance.FraudReport{
		Kind: b.Kind, Told: b.Told, ClientID: b.ClientID, UserNumber: b.UserNumber, Operation: b.Operation, Happened: b.Happened, Contact: b.Contact,
		Language: b.Language,
	})
	if err != nil {
		return nil, err
	}
	return fraudReportOutOf(kept), nil
}

func (d *door) getFraudReport(ctx context.Context, in *struct {
	ID lifecycle.FraudReportID `path:"id" maxLength:"32" doc:"The receipt"`
},
) (*fraudReportOut, error) {
	found, err := d.Service.FraudReport(ctx, in.ID)
	if err == nil && found.MadeBy != caller(ctx).ID {
		err = lifecycle.NotFound
	}
	if err != nil {
		return nil, err
	}
	return fraudReportOutOf(found), nil
}
