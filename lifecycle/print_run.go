package lifecycle

import "slices"

// PrintKind tells the two kinds of letter apart: they are never in one run.
type PrintKind string

// The kinds of print run.
const (
	PrintCard PrintKind = "card"
	PrintPIN  PrintKind = "pin"
)

// PrintRunState is where a print run stands.
type PrintRunState string

// The states of a print run.
const (
	PrintRunOpen        PrintRunState = "open"
	PrintRunRequested   PrintRunState = "requested"
	PrintRunRendered    PrintRunState = "rendered" // its file is stored, encrypted for the print room
	PrintRunPrinting    PrintRunState = "printing"
	PrintRunInterrupted PrintRunState = "interrupted" // goes on with the sheet after the last
	PrintRunPrinted     PrintRunState = "printed"
	PrintRunCancelled   PrintRunState = "cancelled" // nothing of it is left to print
)

// Interrupt is paper or toner that ran out, a jam, the end of a shift.
const Interrupt Event = "interrupt"

// CardRuns and PINRuns are the life cycles of print runs, which differ in who
// renders them.
var (
	CardRuns = printRuns("card letter run", JobCardRun)
	PINRuns  = printRuns("PIN letter run", JobPINRun)
)

func printRuns(thing string, render JobKind) Table[PrintRunState] {
	operator := []Role{RoleOperator}
	return Table[PrintRunState]{
		Thing: thing,
		States: []PrintRunState{
			PrintRunOpen, PrintRunRequested, PrintRunRendered, PrintRunPrinting, PrintRunInterrupted,
			PrintRunPrinted, PrintRunCancelled,
		},
		Moves: slices.Concat(
			[]Move[PrintRunState]{
				{From: PrintRunOpen, On: Seal, To: PrintRunRequested, By: postRoom, Then: []JobKind{render}},
				{From: PrintRunRequested, On: Render, To: PrintRunRendered},
				{From: PrintRunPrinting, On: Interrupt, To: PrintRunInterrupted, By: operator},
				{From: PrintRunPrinting, On: Complete, To: PrintRunPrinted, By: operator},
			},
			from([]PrintRunState{PrintRunRendered, PrintRunInterrupted},
				Move[PrintRunState]{On: Print, To: PrintRunPrinting, By: operator}),
			// A file is kept for some weeks only.
			from([]PrintRunState{PrintRunRequested, PrintRunRendered, PrintRunPrinting, PrintRunInterrupted},
				Move[PrintRunState]{On: Cancel, To: PrintRunCancelled}),
		),
	}
}
