package lifecycle_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"sceau/lifecycle"
)

func TestAKindIsFoundBehindWhatWasTried(t *testing.T) {
	t.Parallel()
	kinds := []lifecycle.Kind{
		lifecycle.NotFound, lifecycle.Invalid, lifecycle.Forbidden, lifecycle.Illegal, lifecycle.Conflict,
		lifecycle.Locked, lifecycle.Unavailable,
	}
	for _, own := range kinds {
		err := fmt.Errorf("card C-17: %w", fmt.Errorf("read: %w", own))
		for _, k := range kinds {
			if errors.Is(err, k) != (k == own) {
				t.Errorf("%v is %q: %v", err, k, errors.Is(err, k))
			}
		}
	}
}

func TestFieldErrorsAreGatheredForOnePerson(t *testing.T) {
	t.Parallel()
	var errs lifecycle.FieldErrors
	if errs.Err() != nil {
		t.Fatal("no wrong field, and an error")
	}
	errs.AddError("fine", nil)
	errs.Merge(nil)
	errs.Add("reference", "is missing")
	errs.AddError("company", fmt.Errorf("check: %w", &lifecycle.FieldError{Field: "name", Why: "is too long"}))
	errs.AddError("branch", errors.New("no branch has this code"))
	errs.Merge(fmt.Errorf("line 3: %w", lifecycle.FieldErrors{{Field: "street", Why: "has no number"}, {Field: "city", Why: "is missing"}}))
	errs.Merge(fmt.Errorf("line 3: %w", &lifecycle.FieldError{Field: "email", Why: "has no @"}))
	errs.Merge(errors.New("is another bank's"))
	want := []lifecycle.FieldError{
		{Field: "reference", Why: "is missing"},
		{Field: "company", Why: "is too long"}, // as the caller names the field
		{Field: "branch", Why: "no branch has this code"},
		{Field: "street", Why: "has no number"},
		{Field: "city", Why: "is missing"},
		{Field: "email", Why: "has no @"},
		{Field: "", Why: "is another bank's"},
	}
	var got []lifecycle.FieldError
	for _, e := range errs {
		got = append(got, *e)
	}
	if !slices.Equal(got, want) {
		t.Errorf("gathered %v, want %v", got, want)
	}
	err := errs.Err()
	if !errors.Is(err, lifecycle.Invalid) || !errors.Is(errs[0], lifecycle.Invalid) {
		t.Errorf("%v is not Invalid", err)
	}
	if got := errs[:2].Error(); got != "reference: is missing; company: is too long" {
		t.Errorf("shown as %q", got)
	}
}
