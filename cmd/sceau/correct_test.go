package main

import (
	"regexp"
	"strings"
	"testing"
)

// What is on record is corrected by commands: at once what no card says, by two
// people what one does.
func TestDataIsCorrectedByCommands(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const client, user = "40010000", "0001"
	holder := func(args ...string) []string {
		return append([]string{"holder", "correct", client, user, "--why=her call"}, args...)
	}
	o.refused("e-mail", holder("--email=nothing", "--as=a.clairvallon")...)
	o.refused("does not hold", holder("--email=right@correct.example", "--as=i.hautefeuille")...)
	o.refused("changes nothing", holder("--as=a.clairvallon")...)
	o.refused("not found", "holder", "correct", "99999999", "0001", "--why=x", "--as=a.clairvallon")
	if _, err := o.run(holder("--street=2 rue du Bois", "--as=a.clairvallon")...); err == nil || !strings.Contains(err.Error(), "--city") {
		t.Errorf("half an address: %v", err)
	}
	out := o.ok("corrected", holder("--email=right@correct.example", "--as=a.clairvallon")...)
	if !regexp.MustCompile(`email: \S+ → right@correct.example`).MatchString(out) {
		t.Errorf("it does not tell the change:\n%s", out)
	}
	o.ok("street: ", holder("--street=2 rue du Bois", "--postcode=35000", "--city=Rennes", "--address-country=FR", "--as=a.clairvallon")...)
	o.ok("proposed by a.clairvallon", holder("--surname=Corrigée", "--as=a.clairvallon")...)
	o.refused("somebody else must agree", holder("--surname=Corrigée", "--as=a.clairvallon")...)
	o.ok("corrected", holder("--surname=Corrigée", "--as=i.hautefeuille")...)
	o.refused("changes nothing", holder("--surname=Corrigée", "--as=i.hautefeuille")...)

	company := func(args ...string) []string {
		return append([]string{"company", "correct", client, "--why=an extract"}, args...)
	}
	o.refused("registry", company("--registry-number=1", "--as=a.clairvallon")...)
	o.ok("proposed by a.clairvallon", company("--name=Tout Autre Nom", "--as=a.clairvallon")...)
	o.ok("company: ", company("--name=Tout Autre Nom", "--as=i.hautefeuille")...)
	if list := o.ok("corrected", "notices", "list"); strings.Count(list, "corrected") < 4 {
		t.Errorf("notices:\n%s", list)
	}
}
