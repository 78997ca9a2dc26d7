package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sceau/internal/testenv"
)

// shop runs sceau stock on a bank's database.
type shop struct {
	*testing.T

	database, bank string
}

func (s shop) run(args ...string) (string, error) {
	s.Helper()
	return sceau(s.T, append(append([]string{"stock"}, args...), "--database-url", s.database)...)
}

// ok runs a command and gives the identifier that it tells, if any.
func (s shop) ok(says string, args ...string) (id string) {
	s.Helper()
	out, err := s.run(args...)
	if err != nil || !strings.Contains(out, says) {
		s.Fatalf("stock %s: %s%v, want %q", strings.Join(args, " "), out, err, says)
	}
	return regexp.MustCompile(`S[CDN]-[0-9A-Z]{16}`).FindString(out)
}

func (s shop) refused(says string, exit int, args ...string) {
	s.Helper()
	out, err := s.run(args...)
	if err == nil || !strings.Contains(err.Error(), says) || exitCode(err) != exit {
		s.Errorf("stock %s: %s%v, want it refused with %q and exit code %d", strings.Join(args, " "), out, err, says, exit)
	}
}

// Operators, an officer and an approver of the sample bank keep its stock by
// commands.
func TestStockIsKeptByCommands(t *testing.T) {
	t.Parallel()
	s := shop{t, testenv.Database(t), filepath.Join("..", "..", "testdata", "demo", "bank.yaml")}
	if out, err := sceau(t, "migrate", "--database-url", s.database, "--bank", s.bank); err != nil {
		t.Fatal(out, err)
	}
	const leonie, uwe, officer, approver = "--as=l.boisjoli", "--as=u.holunderbach", "--as=m.rocheclaire", "--as=i.hautefeuille"

	s.ok("received at vault", "receive", "reader-cap", "vault", "--serials", "RD001001-RD001100", "--note", "D-1", leonie)
	s.refused("RD001100 is in the books already: vault, good", 2, "receive", "reader-cap", "vault", "--serials", "RD001100-RD001110", "--note", "D-2", leonie)
	s.refused("give --quantity or --serials", 2, "receive", "reader-cap", "vault", "--note", "D-2", leonie)
	s.refused("no place of stock", 2, "receive", "paper-pin", "cellar", "--quantity", "5", "--note", "D-2", leonie)
	s.refused("use 1 to 10000000", 2, "receive", "paper-pin", "vault", "--quantity=-5", "--note", "D-2", leonie)
	s.refused("does not hold the role", 1, "receive", "paper-pin", "vault", "--quantity", "5", "--note", "D-2", "--as=o.thistledown")

	sent := s.ok("consignment SC-", "move", "reader-cap", "vault", "BE02", "--quantity", "3", leonie)
	s.refused("somebody else must receive it", 1, "move", "arrive", "reader-cap", sent, "--serials", "RD000001-RD000003", leonie)
	s.ok("but for 1", "move", "arrive", "reader-cap", sent, "--serials", "RD000001,RD000003", uwe)
	s.ok("DIFFERS from vault by l.boisjoli", "list")
	s.refused("does not hold the role approver", 1, "settle", sent, "--why", "lost", leonie)
	s.ok("is settled", "settle", sent, "--why", "lost by the carrier", approver)
	s.ok("RD000002: BE02, missing", "find", "reader-cap", "RD000002")
	back := s.ok("consignment SC-", "move", "paper-pin", "vault", "print-room", "--quantity", "100", leonie)
	s.ok("is cancelled", "cancel", back, leonie)

	count := s.ok("somebody else counts next", "count", "paper-pin", "print-room", "--quantity", "4990", leonie)
	out, err := s.run("list", "--log", "pin")
	if err != nil || strings.Contains(out, "4990") || strings.Contains(out, "reader-cap") || !strings.Contains(out, count) {
		t.Errorf("the PIN log: %s%v; want the count, no figure and nothing of the card log", out, err)
	}
	s.refused("somebody else must count second", 1, "count", "paper-pin", "print-room", "--quantity", "4990", leonie)
	s.ok("it waits for an approver", "count", "paper-pin", "print-room", "--quantity", "4989", uwe)
	s.refused("have it counted again", 1, "settle", count, "--why", "one is right", approver)
	s.ok("count again", "count", "refuse", count, "--why", "they differ", approver)
	s.ok("somebody else counts next", "count", "paper-pin", "print-room", "--quantity", "5000", uwe)
	s.ok("both agree with the books", "count", "paper-pin", "print-room", "--quantity", "5000", officer)
	s.ok("somebody else counts next", "count", "reader-cap", "NL01", "--quantity", "0", uwe)
	s.ok("both agree with the books", "count", "reader-cap", "NL01", "--quantity", "0", officer)

	s.ok("rejected at vault", "reject", "reader-cap", "vault", "--serials", "RD001001-RD001002", "--why", "display broken", leonie)
	gone := s.ok("waits for a second person", "destroy", "reader-cap", "vault", "--serials", "RD001001-RD001002", "--method", "Broyage", "--why", "Écran cassé", leonie)
	certificate := filepath.Join(t.TempDir(), "certificate.pdf")
	paper := []string{"--bank", s.bank, "--certificate", certificate}
	s.refused("a certificate follows when it is confirmed", 1, append([]string{"destroy", "certificate", gone}, paper...)...)
	s.refused("somebody else must see it done", 1, append([]string{"destroy", "confirm", gone, leonie}, paper...)...)
	s.ok("certificate: ", append([]string{"destroy", "confirm", gone, officer}, paper...)...)
	french, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	s.ok("certificate: ", append([]string{"destroy", "certificate", gone, "--language", "nl"}, paper...)...)
	if dutch, err := os.ReadFile(certificate); err != nil || len(dutch) == 0 || string(dutch) == string(french) {
		t.Errorf("the Dutch certificate has %d bytes, %v", len(dutch), err)
	}
	s.ok("destroy  2 (RD001001-RD001002)  vault rejected -> vault destroyed  "+gone, "ledger", "reader-cap")

	// The doctor tells what is low.
	s.ok("consignment SC-", "move", "reader-cap", "BE02", "FR01", "--quantity", "9", leonie)
	s.ok("LOW: below 5", "list")
	if out, err := sceau(t, "doctor", "--database-url", s.database); err == nil || !strings.Contains(out, "below the minimum of 5: move or order some") {
		t.Errorf("the doctor: %s%v", out, err)
	}
}
