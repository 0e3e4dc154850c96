//! `edit`: a file as lines, changed by commands of one letter.

use nonos_proto::CallError;
use nonos_proto::files::{how, rights};
use nonos_rt::files::File;
use shell::pipeline::words;
use shell::text::{MOST, Text, TooLong};

use crate::files::{Done, each_part, open};
use crate::session::Session;

const PROMPT: &str = "edit> ";
/// Where text is typed.
const TEXT_PROMPT: &str = "| ";

const HELP: &str = "\
  l [A [B]]  list the lines, or those from A to B
  a          add lines at the end; a line with only . ends that
  i N        insert lines before line N
  c N        change line N
  d A [B]    delete line A, or those from A to B
  w          write the file
  q          quit; q! gives changes up
  h          this help
";

impl Session {
    /// `edit`
    pub(crate) fn edit(&mut self, home: &File, path: &str) -> Done {
        let mut text = Text::new();
        let outcome = self.edit_text(home, path, &mut text);
        text.wipe();
        outcome
    }

    fn edit_text(&mut self, home: &File, path: &str, text: &mut Text) -> Done {
        let file = open(home, path, rights::READ | rights::WRITE | how::CREATE)?;
        if file.state()?.size > MOST as u64 {
            self.fail(format_args!(
                "{path} is longer than {MOST} bytes: too long to edit"
            ));
            return Ok(());
        }
        each_part(&file, |part| {
            text.append(part).map_err(|TooLong| CallError::BadReply)
        })?;
        self.print(format_args!(
            "{path}: {} lines; h shows the commands\n",
            text.lines().count()
        ));
        let mut changed = false;
        loop {
            let line = self.ask(PROMPT)?;
            let mut words = words(line.as_str());
            let command = words.next().unwrap_or("");
            let mut numbers = [None; 2];
            let mut good = true;
            for (number, word) in numbers.iter_mut().zip(words.by_ref()) {
                *number = word.parse().ok().filter(|&number: &usize| number > 0);
                good &= number.is_some();
            }
            let good = good && words.next().is_none();
            let lines = text.lines().count();
            match (command, numbers) {
                ("", _) => {}
                ("l", [first, last]) if good => {
                    let first = first.unwrap_or(1);
                    let last = last.unwrap_or(if first == 1 { lines } else { first });
                    self.show_lines(text, first, last);
                }
                ("a", [None, None]) if good => changed |= self.type_lines(text, lines + 1)?,
                ("i", [Some(at), None]) if good => changed |= self.type_lines(text, at)?,
                ("c", [Some(at), None]) if good && at <= lines => {
                    text.delete(at, at);
                    changed = true;
                    self.type_lines(text, at)?;
                }
                ("d", [Some(first), last]) if good && first <= lines => {
                    text.delete(first, last.unwrap_or(first));
                    changed = true;
                }
                ("w", [None, None]) if good => {
                    file.resize(0)?;
                    file.write(0, text.as_bytes())?;
                    self.print(format_args!("{} bytes written\n", text.as_bytes().len()));
                    changed = false;
                }
                ("q", [None, None]) if changed => {
                    self.fail(format_args!(
                        "there are changes: w writes them, q! gives them up"
                    ));
                }
                ("q" | "q!", [None, None]) if good => return Ok(()),
                ("h", _) => self.print(format_args!("{HELP}")),
                _ => self.fail(format_args!(
                    "no command, or no such line: h shows the commands"
                )),
            }
        }
    }

    fn show_lines(&mut self, text: &Text, first: usize, last: usize) {
        let shown = last.saturating_add(1).saturating_sub(first);
        for (index, line) in text.lines().enumerate().skip(first - 1).take(shown) {
            self.print(format_args!("{:>4} ", index + 1));
            self.terminal.bytes(line);
            self.print(format_args!("\n"));
        }
    }

    /// Inserts lines before line `at` until one is `.` alone. Whether there were any.
    fn type_lines(&mut self, text: &mut Text, mut at: usize) -> Result<bool, CallError> {
        let mut any = false;
        loop {
            let line = self.ask(TEXT_PROMPT)?;
            if line.as_str() == "." {
                return Ok(any);
            }
            if let Err(TooLong) = text.insert(at, line.as_str().as_bytes()) {
                self.fail(format_args!(
                    "a text of {MOST} bytes is all that can be edited"
                ));
                return Ok(any);
            }
            any = true;
            at += 1;
        }
    }
}
