package issuance_test

import (
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func TestASecretCodeIsSetByTheUsersConsentAndReplacesTheOneBefore(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	certificate := h.certificate(t, lifecycle.CertActive)
	client, user := h.userOf(t, certificate)
	holder := h.certificateRow(t, certificate).HolderID
	code := must[lifecycle.SecretCode](t)(lifecycle.NewSecretCode("sesame 42", client, user))
	set := func(user string, c issuance.Consent) (lifecycle.MeansID, error) {
		return h.SetSecretCode(t.Context(), online, client, user, code, c)
	}
	signed := func() issuance.Consent {
		return issuance.Consent{Authentication: h.consented(t, holder, func(_ *db.InsertAuthenticationParams, content map[string]string) { content["setting"] = "means.code" })}
	}
	_, err := set(user, issuance.Consent{})
	wantKind(t, err, lifecycle.Invalid)
	strange := lifecycle.NewInvitationCode([16]byte{9})
	_, err = set(user, issuance.Consent{Code: &strange})
	wantKind(t, err, lifecycle.Forbidden)
	_, err = set("0999", issuance.Consent{Code: &strange})
	wantKind(t, err, lifecycle.Forbidden)
	_, err = set(user, issuance.Consent{Authentication: h.consented(t, holder, asAsked)}) // for a passkey
	wantKind(t, err, lifecycle.Forbidden)

	invited := must[issuance.MeansInvitation](t)(h.InviteMeans(t.Context(), alix, client, user, lifecycle.MeansCode, issuance.FaceToFace))
	for range 5 {
		must[int32](t)(h.store.CountSecretCodeTry(t.Context(), db.CountSecretCodeTryParams{ClientID: client, UserNumber: user, Now: h.clock.now(), Most: 5}))
	}
	first := must[lifecycle.MeansID](t)(set(user, issuance.Consent{Code: &invited.Code}))
	n := 0
	if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM secret_code_try WHERE client_id = $1", client).Scan(&n); err != nil || n != 0 {
		t.Errorf("wrong codes are remembered: %d, %v", n, err)
	}
	_, err = set(user, issuance.Consent{Code: &invited.Code}) // once
	wantKind(t, err, lifecycle.Forbidden)
	late := must[issuance.MeansInvitation](t)(h.InviteMeans(t.Context(), alix, client, user, lifecycle.MeansCode, issuance.FaceToFace))
	h.clock.advance(73 * time.Hour)
	_, err = set(user, issuance.Consent{Code: &late.Code})
	wantKind(t, err, lifecycle.Forbidden)

	// Of twins with one consent one is served.
	consent := signed()
	var twins sync.WaitGroup
	var mu sync.Mutex
	var made []lifecycle.MeansID
	for range 4 {
		twins.Go(func() {
			if id, err := set(user, consent); err == nil {
				mu.Lock()
				defer mu.Unlock()
				made = append(made, id)
			}
		})
	}
	twins.Wait()
	if len(made) != 1 {
		t.Fatalf("one consent set %d codes", len(made))
	}
	kept := must[db.SecretCodeOfRow](t)(h.store.SecretCodeOf(t.Context(), holder))
	if before := must[db.Means](t)(h.store.LockMeans(t.Context(), first)); before.State != lifecycle.MeansEnded || kept.ID != made[0] {
		t.Errorf("the first is %s, the one that counts %s", before.State, kept.ID)
	}
	// During an emergency stop nobody adds anything.
	consent = signed()
	must[issuance.Stop](t)(h.EmergencyStop(t.Context(), online, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "phished"}))
	_, err = set(user, consent)
	wantKind(t, err, lifecycle.Forbidden)
}

func TestAuthenticationsToWhichNobodyCameBackArePutToRest(t *testing.T) {
	t.Parallel()
	h := setup(t)
	now := h.clock.now()
	insert := func(id lifecycle.AuthenticationID, ends time.Duration) {
		if err := h.store.InsertAuthentication(t.Context(), db.InsertAuthenticationParams{
			ID: id, Service: online.ID, ClientID: "40010001", UserNumber: "0001", State: lifecycle.AuthenticationPending, Function: "sign_in",
			Content: []byte("{}"), Means: lifecycle.MeansCAP, Mode: "2", Nonce: make([]byte, 16), CreatedAt: now, ExpiresAt: now.Add(ends),
		}); err != nil {
			t.Fatal(err)
		}
	}
	insert("AU-0000000000000001", time.Minute)
	insert("AU-0000000000000002", time.Hour)
	h.clock.advance(time.Minute)
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n.Authentications != 1 {
		t.Errorf("%d were overdue", n.Authentications)
	}
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n.Authentications != 0 {
		t.Errorf("%d were overdue again", n.Authentications)
	}
	row := must[db.Authentication](t)(h.store.Authentication(t.Context(), "AU-0000000000000001"))
	trail := must[[]db.AuditEntry](t)(h.store.AuditOf(t.Context(), string(row.ID)))
	if row.State != lifecycle.AuthenticationExpired || row.DecidedAt == nil || len(trail) != 1 || trail[0].Event != string(lifecycle.Expire) {
		t.Errorf("it is %s, its trail %+v", row.State, trail)
	}
}
