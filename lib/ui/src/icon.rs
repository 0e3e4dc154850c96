//! Icons: glyphs of a face of their own.

macro_rules! icons {
    ($($name:ident),+ $(,)?) => {
        /// An icon. The order is that of `services/fonts/icons.txt`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs)] // Their names say what they show.
        #[repr(u8)]
        pub enum Icon { $($name),+ }

        impl Icon {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

icons! {
    Check, Close, Minus, Plus, Left, Right, Up, Down, Search, Menu, More, Settings, Info, Warning, Shield, ShieldCheck, Lock, Unlock,
    Power, File, Folder, Image, Terminal, Monitor, Chip, Network, Onion, Keyboard, Pointer, Palette, Clock, User, Key, Calculator,
    Copy, Trash, Edit, Save, Undo, Redo, Refresh, Play, Stop, Eye, Bell, Backspace, Grid, List,
}

impl Icon {
    /// The character that stands for it.
    pub fn character(self) -> char {
        char::from_u32(0xE000 + self as u32).unwrap_or(' ')
    }
}
