//! Fewer passes over registers: a basic operation whose result only the next one reads is computed with it, and row
//! values go into basic operations without being written over their rows first.
use super::{Compiler, Level, NONE, Op, Step};
use crate::cpu::pair;

impl Compiler {
    /// Joins what can be; results that are `kept` in memory stay on their own.
    pub(super) fn join(&mut self, kept: &[bool]) {
        let mut uses: Vec<u32> = kept.iter().map(|&k| u32::from(k)).collect();
        let mut maker = vec![NONE; self.vals.len()];
        for (i, s) in self.steps.iter().enumerate() {
            s.s.iter().filter(|&&v| v != NONE).for_each(|&v| uses[v as usize] += 1);
            if s.d != NONE {
                maker[s.d as usize] = i as u32;
            }
        }
        for j in 0..self.steps.len() {
            if let Some(step) = self.by_row(j, &maker).or_else(|| self.paired(j, &maker, &uses)) {
                let dropped = |v: &&u32| **v != NONE && !step.s.contains(*v);
                for &v in self.steps[j].s.iter().filter(dropped) {
                    uses[v as usize] -= 1;
                }
                self.steps[j] = step;
            }
        }
        // A value that nobody reads any more: what its step read was read by the one that it joined.
        self.steps.retain(|s| s.d == NONE || uses[s.d as usize] > 0);
    }
    /// The step that makes `v`, if this is a basic operation of full floats.
    fn basic(&self, j: usize) -> Option<(pair::Basic, &Step)> {
        let step = &self.steps[j];
        let op = *self.basics.get(&step.d)?;
        (matches!(step.op, Op::Map(_)) && step.level == Level::Full).then_some((op, step))
    }
    /// Step `j` with an operand's row values, if that is one repeated over rows.
    fn by_row(&self, j: usize, maker: &[u32]) -> Option<Step> {
        let (op, step) = self.basic(j)?;
        let row = |v: u32| {
            let from = self.steps.get(maker[v as usize] as usize)?;
            matches!(from.op, Op::Spread(_)).then_some(from.s[0])
        };
        let [a, b, _] = step.s;
        let (full, row, exchanged) = match (row(a), row(b)) {
            (None, Some(row)) => (a, row, false),
            (Some(row), None) => (b, row, true),
            _ => return None,
        };
        let kernel = pair::by_row(op, exchanged, self.vals[step.d as usize].dtype)?;
        Some(Step { op: Op::ByRow(kernel), level: step.level, d: step.d, s: [full, row, NONE] })
    }
    /// Step `j` with the one that makes one of its operands, if nobody else reads that.
    fn paired(&self, j: usize, maker: &[u32], uses: &[u32]) -> Option<Step> {
        let (second, step) = self.basic(j)?;
        (0..2).find_map(|side| {
            let (v, other) = (step.s[side], step.s[1 - side]);
            let from = maker[v as usize];
            if from == NONE || uses[v as usize] != 1 {
                return None;
            }
            let (first, made) = self.basic(from as usize)?;
            if made.s[2] != NONE {
                return None; // a pair already
            }
            let kernel = pair::pair(first, second, side == 1, self.vals[step.d as usize].dtype)?;
            Some(Step {
                op: Op::Pair(kernel),
                level: step.level,
                d: step.d,
                s: [made.s[0], made.s[1], other],
            })
        })
    }
}
