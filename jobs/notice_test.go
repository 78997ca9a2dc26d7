package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/mail"
)

// carrier is a mail server that has taken each mail, whatever it answers.
type carrier struct {
	mu      sync.Mutex
	took    []mail.Message // guarded by mu
	answers []error        // one a mail, then none; guarded by mu
}

// Send takes a mail.
func (c *carrier) Send(_ context.Context, m mail.Message) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, m)
	if len(c.answers) > 0 {
		err := c.answers[0]
		c.answers = c.answers[1:]
		if err != nil {
			return "", err
		}
	}
	return m.ID + "@bank.example", nil
}

func TestANoticeIsSentUntilItIsTakenOrRefused(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	id := h.orders(t, "certificate", 1)[0].Certificate.ID
	h.work(t, h.tools(t))
	must(t, h.TakeKey(t.Context(), h.holder(t, string(id)), id, request(t), nil))
	h.await(t, "the certificate", "SELECT state = 'issued' FROM certificate WHERE id = $1", id)
	post := &carrier{answers: []error{errors.New("the connection broke")}}
	tools := commonTools(h.Service, h.clock.now, h.logger())
	tools.Mail = post
	h.run(t, h.pool, tools, Settings{Queues: []Queue{QueueMail}, Wait: 300 * time.Millisecond})
	h.await(t, "the notice", "SELECT state = 'sent' AND attempts = 2 FROM notice WHERE certificate_id = $1", id)

	post.mu.Lock()
	first, second := post.took[0], post.took[1]
	post.answers = []error{fmt.Errorf("%w: the mail server refuses the address: 550 5.1.1", lifecycle.Invalid)}
	post.mu.Unlock()
	if first != second || !strings.Contains(first.Subject, tools.Bank.Name) || !strings.Contains(first.Body, tools.Bank.Phone) {
		t.Errorf("sent were\n%+v\n%+v", first, second)
	}
	must(t, h.Revoke(t.Context(), officer, id, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
	h.await(t, "the refusal", "SELECT state = 'failed' AND attempts = 1 FROM notice WHERE certificate_id = $1 AND kind = 'revoked'", id)
	var notice lifecycle.NoticeID
	must(t, h.admin.QueryRow(t.Context(), "SELECT id FROM notice WHERE state = 'failed'").Scan(&notice))
	must(t, h.RetryNotice(t.Context(), operator, notice))
	h.await(t, "the notice again", "SELECT state = 'sent' FROM notice WHERE id = $1", notice)
	h.awaitIdle(t, QueueMail)
	for _, j := range h.jobsOf(t, lifecycle.JobNoticeSend) {
		if j.State != "completed" || strings.Contains(j.String(), "@") {
			t.Errorf("job %s", j)
		}
	}
}

// One that has troubles for days is a person's at last.
func TestANoticeIsNotTriedForEver(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	id := h.orders(t, "certificate", 1)[0].Certificate.ID
	h.work(t, h.tools(t))
	must(t, h.TakeKey(t.Context(), h.holder(t, string(id)), id, request(t), nil))
	h.await(t, "the certificate", "SELECT state = 'issued' FROM certificate WHERE id = $1", id)
	var notice lifecycle.NoticeID
	must(t, h.admin.QueryRow(t.Context(), "SELECT id FROM notice").Scan(&notice))
	tools := commonTools(h.Service, h.clock.now, h.logger())
	busy := errors.New("mail server: 451 4.7.1")
	for attempt := range noticeAttempts {
		tools.Mail = &carrier{answers: []error{busy}}
		err := tools.sendNotice(t.Context(), issuance.NoticeArgs{Notice: notice}, nil)
		if last := attempt == noticeAttempts-1; last && err != nil || !last && !errors.Is(err, busy) {
			t.Fatalf("attempt %d: %v", attempt+1, err)
		}
	}
	if n := get[issuance.NoticeView](t)(h.Notice(t.Context(), notice)); n.State != lifecycle.NoticeFailed || n.Failure != busy.Error() {
		t.Errorf("notice %+v", n)
	}
}
