package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/trust"
)

// certificateRoutes are what relying services ask about certificates that somebody
// brings.
func (d *door) certificateRoutes() []func() {
	return []func(){
		route(d, authn.ScopeValidate, huma.Operation{
			OperationID: "validate-certificate", Method: http.MethodPost, Path: "/v1/certificates/validate", Tags: []string{"certificates"},
			Summary: "Tell whether a certificate may be accepted from a user",
			Description: "Of the house's own certificates the database speaks, holds and emergency stops among it; of another CA's the trust list, its lists or " +
				"responder, and the binding to one user. Whose key it is the caller proves: by TLS, or by a signature. `unknown` is not accepted either.",
		}, d.validateCertificate),
	}
}

type validateIn struct {
	Body struct {
		Certificate string        `json:"certificate" maxLength:"49152" doc:"In PEM; what stands behind the first is not read: paths are built from accepted CAs alone"`
		ClientID    string        `json:"client_id" pattern:"^[0-9]{8}$"`
		UserNumber  string        `json:"user_number" pattern:"^[0-9]{4}$"`
		At          time.Time     `json:"at,omitempty" doc:"The moment to judge for; left out, now"`
		Purpose     trust.Purpose `json:"purpose,omitempty" enum:"authentication,signature" default:"authentication"`
	}
}

// revocationBody is where a certificate's status comes from.
type revocationBody struct {
	Source  string    `json:"source" doc:"house, or the address of a list or responder"`
	Time    time.Time `json:"time,omitzero" doc:"Of the list or answer"`
	Until   time.Time `json:"until,omitzero" doc:"When another is due"`
	Revoked time.Time `json:"revoked,omitzero"`
	Reason  string    `json:"reason,omitempty" doc:"Of a revocation, as in RFC 5280"`
}

type bindingBody struct {
	Certificate lifecycle.CertificateID `json:"certificate,omitempty" doc:"Of one that the house issued"`
	Means       lifecycle.MeansID       `json:"means,omitempty" doc:"Of another CA's"`
	Holder      lifecycle.HolderID      `json:"holder"`
}

type validateOut struct {
	Body struct {
		Result     authn.Result    `json:"result" enum:"valid,invalid,unknown"`
		Reasons    []trust.Code    `json:"reasons" doc:"Why it is not valid: stable words, all that apply"`
		Why        string          `json:"why,omitempty" doc:"The first reason, for a person"`
		Checks     []string        `json:"checks" doc:"What was looked at"`
		Source     string          `json:"source,omitempty" doc:"house, or the trust list's name of its CA"`
		Level      string          `json:"level,omitempty" doc:"As the bank ranks that CA: none, *, **, ***"`
		Subject    string          `json:"subject,omitempty"`
		Issuer     string          `json:"issuer,omitempty"`
		Serial     string          `json:"serial,omitempty" doc:"In hexadecimal"`
		NotAfter   time.Time       `json:"not_after,omitzero"`
		SHA256     string          `json:"sha256" doc:"Of the certificate"`
		At         time.Time       `json:"at" doc:"The moment that was judged for"`
		Revocation *revocationBody `json:"revocation,omitempty"`
		Binding    *bindingBody    `json:"binding,omitempty" doc:"When it is the user's"`
	}
}

// validateCertificate answers a verdict: a certificate that is not accepted is no error
// of the caller's.
func (d *door) validateCertificate(ctx context.Context, in *validateIn) (*validateOut, error) {
	ders, err := trust.Certificates([]byte(in.Body.Certificate))
	if err != nil {
		return nil, err
	}
	if len(ders) == 0 {
		return nil, &lifecycle.FieldError{Field: "certificate", Why: "is empty: give it in PEM"}
	}
	v, err := d.Authn.ValidateCertificate(ctx, authn.CertificateAsk{
		Certificate: ders[0], ClientID: in.Body.ClientID, UserNumber: in.Body.UserNumber, At: in.Body.At, Purpose: in.Body.Purpose,
	})
	if err != nil {
		return nil, err
	}
	out := &validateOut{}
	b := &out.Body
	b.Result, b.Reasons, b.Why, b.Checks, b.Source, b.Level = v.Result(), append([]trust.Code{}, v.Codes...), v.Why, v.Checks, v.Source, v.Level
	b.SHA256, b.At = hex.EncodeToString(v.Fingerprint[:]), v.At
	if c := v.Certificate; c != nil {
		b.Subject, b.Issuer, b.Serial, b.NotAfter = trust.Subject(c), trust.Short(c.Issuer.String()), c.SerialNumber.Text(16), c.NotAfter
	}
	if st := v.Status; st.Source != "" {
		b.Revocation = &revocationBody{Source: st.Source, Time: st.Time, Until: st.Until, Revoked: st.Revoked}
		if !st.Revoked.IsZero() {
			b.Revocation.Reason = lifecycle.RevocationReason(st.Reason).String()
		}
	}
	if v.Holder != "" {
		b.Binding = &bindingBody{v.House, v.Means, v.Holder}
	}
	return out, nil
}
