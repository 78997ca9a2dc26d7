package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of the processor times in /proc: USER_HZ is 100 on every
// Linux that Go runs on.
const tick = 10 * time.Millisecond

// ownTime is the processor time of this process.
func ownTime() time.Duration {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0 // cannot happen: the kernel knows RUSAGE_SELF
	}
	return time.Duration(own.Utime.Nano() + own.Stime.Nano())
}

// ChildrenTime is that of everything below it: a Vault or a PostgreSQL that the
// benchmark started works for it too.
func ChildrenTime() time.Duration { return treeTime(os.Getpid(), false) }

// ProcessorTime is the processor time of a process and everything below it.
func ProcessorTime(pid int) time.Duration { return treeTime(pid, true) }

// Resident is how much memory a process has, in octets; 0 when it has ended.
func Resident(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)) //nolint:gosec // a fixed name below /proc
	if err != nil {
		return 0
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return resident * float64(os.Getpagesize())
}

// treeTime adds up a process tree, with or without its root. Processes that
// ended count through their parent, once it has waited for them.
func treeTime(root int, withRoot bool) time.Duration {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	used := map[int]time.Duration{}
	children := map[int][]int{}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a fixed name below /proc
		if err != nil {
			continue // it has ended
		}
		pid, parent, ticks, err := readStat(text)
		if err != nil {
			continue
		}
		used[pid] = time.Duration(ticks) * tick
		children[parent] = append(children[parent], pid)
	}
	var total time.Duration
	queue := []int{root}
	for len(queue) > 0 {
		pid := queue[0]
		queue = append(queue[1:], children[pid]...)
		if pid != root || withRoot {
			total += used[pid]
		}
	}
	return total
}

// readStat takes process, parent and used ticks from a line of proc_pid_stat(5).
// The name in parentheses may hold anything, so fields count from its end.
func readStat(text []byte) (pid, parent int, ticks int64, err error) {
	head, rest, ok := strings.Cut(string(text), " (")
	end := bytes.LastIndexByte([]byte(rest), ')')
	if !ok || end < 0 {
		return 0, 0, 0, fmt.Errorf("%q is no line of stat", text)
	}
	fields := strings.Fields(rest[end+1:])
	const state, ppid, utime, cstime = 0, 1, 11, 14
	if len(fields) <= cstime || len(fields[state]) != 1 {
		return 0, 0, 0, fmt.Errorf("%q is no line of stat", text)
	}
	if pid, err = strconv.Atoi(head); err != nil {
		return 0, 0, 0, err
	}
	if parent, err = strconv.Atoi(fields[ppid]); err != nil {
		return 0, 0, 0, err
	}
	for _, field := range fields[utime : cstime+1] { // user and system, its own and its waited-for children's
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, 0, err
		}
		ticks += n
	}
	return pid, parent, ticks, nil
}
