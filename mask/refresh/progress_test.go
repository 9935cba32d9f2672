package refresh_test

import "sync"

// progress remembers what it is told, and can act on it.
type progress struct {
	mu      sync.Mutex
	stages  []string
	notes   []string
	rows    map[string]int64
	onStage func(string)
	onRows  func(table string)
}

func (p *progress) Stage(name string) {
	p.mu.Lock()
	p.stages = append(p.stages, name)
	act := p.onStage
	p.mu.Unlock()
	if act != nil {
		act(name)
	}
}

func (p *progress) Total(int, int64, int64) {}

func (p *progress) Table(string, int64, int64) {}

func (p *progress) Rows(table string, rows, bytes int64) {
	p.mu.Lock()
	act := p.onRows
	p.mu.Unlock()
	if act != nil {
		act(table)
	}
}

func (p *progress) Done(table string, rows int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rows == nil {
		p.rows = map[string]int64{}
	}
	p.rows[table] = rows
}

func (p *progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, text)
}
