//! A stream: the rows of a plan for one consumer, from a cursor on, after the steps that the core does.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::ahead::StepsAhead;
use super::ordered::Ordered;
use super::queue::{Signal, Unit};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::plan::cursor::Cursor;
use crate::source::Store;

/// What a call that does not wait has to say.
#[derive(Debug)]
pub enum Next<T> {
    /// Here it is.
    Ready(T),
    /// A record that could not be read was passed over: this is why. Ask again.
    Bad(Error),
    /// Not yet: `wait`, and ask again.
    Wait,
    /// There is nothing more.
    End,
}

impl<T> Next<T> {
    /// What a function makes of it, if it is here.
    ///
    /// # Errors
    ///
    /// What the function fails with.
    pub fn try_map<U, E>(self, make: impl FnOnce(T) -> std::result::Result<U, E>) -> std::result::Result<Next<U>, E> {
        Ok(match self {
            Self::Ready(value) => Next::Ready(make(value)?),
            Self::Bad(error) => Next::Bad(error),
            Self::Wait => Next::Wait,
            Self::End => Next::End,
        })
    }
}

/// Waits for the readers of a stream, apart from the stream.
pub struct Waiter {
    pub(super) signal: Arc<Signal>,
    pub(super) seen: u64,
}

impl Waiter {
    /// Waits until a reader has something new, but not longer than `most`.
    pub fn wait(&self, most: Duration) {
        self.signal.wait(self.seen, most);
    }
}

/// The rows of a plan for consumer `c` of `of`.
pub struct Stream {
    ordered: Ordered,
    /// What is done with rows before they are asked for.
    steps: Option<StepsAhead>,
}

impl Stream {
    /// Opens the rows that follow a cursor, which must be of this plan.
    pub fn open(plan: &Arc<Plan>, store: Arc<dyn Store>, c: u64, of: u64, cursor: Cursor) -> Result<Self> {
        let ordered = Ordered::open(plan, store, c, of, cursor)?;
        let steps = StepsAhead::new(&plan.column_steps, &ordered, plan.lenient)?;
        Ok(Self { ordered, steps })
    }

    /// Opens the stream again where it is, if the process was forked since: the threads that read for it are the
    /// parent's.
    pub fn after_fork(&mut self) -> Result<()> {
        let cursor = self.cursor();
        if self.ordered.after_fork(cursor)?
            && let Some(steps) = &mut self.steps
        {
            steps.forget(&self.ordered)?;
        }
        Ok(())
    }

    /// The columns of every batch, strings and bytes as views.
    pub fn schema(&self) -> &SchemaRef {
        self.steps.as_ref().map_or_else(|| self.ordered.schema(), StepsAhead::schema)
    }

    /// The row that the lane which gave the last one will give `n` turns from now, where it is known: so that the
    /// edge can have its memory fetched in time.
    pub fn upcoming(&self, n: usize) -> Option<(&Unit, usize)> {
        if self.steps.is_some() { None } else { self.ordered.upcoming(n) }
    }

    /// The next row: a unit, and the row's place in it. It counts as delivered.
    pub fn next_row(&mut self) -> Result<Next<(&Unit, usize)>> {
        match &mut self.steps {
            Some(steps) => steps.next_row(&mut self.ordered),
            None => self.ordered.next_row(),
        }
    }

    /// The next `size` rows as one batch, or fewer at the end, or at the end of a pass after which a batch ends; a
    /// shorter batch is left out if `drop_last`. The rows count as delivered when the batch is given.
    pub fn next_batch(&mut self, size: usize, drop_last: bool) -> Result<Next<RecordBatch>> {
        match &mut self.steps {
            Some(steps) => steps.next_batch(&mut self.ordered, size, drop_last),
            None => self.ordered.next_batch(size, drop_last),
        }
    }

    /// What to wait for after `Next::Wait`.
    pub fn waiter(&self) -> Waiter {
        match &self.steps {
            Some(steps) => steps.waiter(&self.ordered),
            None => self.ordered.waiter(),
        }
    }

    /// The position after the last row delivered.
    pub fn cursor(&self) -> Cursor {
        match &self.steps {
            Some(steps) => self.ordered.cursor_at(steps.place()),
            None => self.ordered.cursor(),
        }
    }
}
