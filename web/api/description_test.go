package api_test

import (
	"bytes"
	"os"
	"testing"

	"sceau/web/api"
)

func TestTheDescriptionIsTheOneThatIsCommitted(t *testing.T) {
	t.Parallel()
	described := must[[]byte](t)(api.Description("1"))
	committed := must[[]byte](t)(os.ReadFile("../../docs/openapi.yaml"))
	if !bytes.Equal(described, committed) {
		t.Error("docs/openapi.yaml is another: run go generate ./web/api")
	}
}

func TestWhatIsServedIsWhatIsDescribed(t *testing.T) {
	t.Parallel()
	d := open(t)
	if served, described := d.call("GET", "/openapi.yaml", "", "").text, must[[]byte](t)(api.Description("test")); served != string(described) {
		t.Error("the door serves another description")
	}
}
