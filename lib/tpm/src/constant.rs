//! Values of part 2 of the TPM 2.0 Library specification, and of the profiles for PCs.

/// TPM_ST, 6.9.
pub const NO_SESSIONS: u16 = 0x8001;
/// TPM_ST, 6.9.
pub const SESSIONS: u16 = 0x8002;
/// TPM_RH, 7.4: the owner's hierarchy.
pub const OWNER: u32 = 0x4000_0001;
/// TPM_RH, 7.4: the endorsement hierarchy.
pub const ENDORSEMENT: u32 = 0x4000_000B;
/// TPM_RH, 7.4: none.
pub const NULL: u32 = 0x4000_0007;
/// TPM_RS, 7.4: authorisation by a password.
pub const PASSWORD_SESSION: u32 = 0x4000_0009;

/// TPM_ALG, 6.3.
pub const SHA256: u16 = 0x000B;
/// TPM_ALG, 6.3.
pub const AES: u16 = 0x0006;
/// TPM_ALG, 6.3: data that is sealed.
pub const KEYED_HASH: u16 = 0x0008;
/// TPM_ALG, 6.3: none.
pub const ALG_NULL: u16 = 0x0010;
/// TPM_ALG, 6.3.
pub const ECDSA: u16 = 0x0018;
/// TPM_ALG, 6.3.
pub const ECC: u16 = 0x0023;
/// TPM_ALG, 6.3.
pub const CFB: u16 = 0x0043;
/// TPM_ECC_CURVE, 6.4.
pub const P256: u16 = 0x0003;

/// TPM_SU, 6.10: nothing is kept of what a restart clears.
pub const CLEAR: u16 = 0;

/// TPM_RC_HANDLE for the first handle, 6.6: no such NV index.
pub const RC_NO_SUCH_HANDLE: u32 = 0x18B;

/// TPMA_SESSION, 8.4: the session stays after the command.
pub const CONTINUE: u8 = 1;
/// TPMA_SESSION, 8.4: the first parameter of the command is encrypted.
pub const DECRYPT: u8 = 1 << 5;
/// TPMA_SESSION, 8.4: the first parameter of the response is encrypted.
pub const ENCRYPT: u8 = 1 << 6;

/// TPMA_OBJECT, 8.3.
pub mod object {
    /// It never leaves this TPM.
    pub const FIXED_TPM: u32 = 1 << 1;
    /// It never leaves its parent.
    pub const FIXED_PARENT: u32 = 1 << 4;
    /// The TPM made its secret.
    pub const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
    /// Its authorisation value lets it be used.
    pub const USER_WITH_AUTH: u32 = 1 << 6;
    /// Only its policy lets it be administered.
    pub const ADMIN_WITH_POLICY: u32 = 1 << 7;
    /// Wrong authorisation values are not counted.
    pub const NO_DA: u32 = 1 << 10;
    /// It works on what the TPM made only.
    pub const RESTRICTED: u32 = 1 << 16;
    /// It decrypts.
    pub const DECRYPT: u32 = 1 << 17;
    /// It signs.
    pub const SIGN: u32 = 1 << 18;
}

/// TPMA_NV, 13.4.
pub mod nv {
    /// The index's own authorisation value writes it.
    pub const AUTH_WRITE: u32 = 1 << 2;
    /// It is a counter.
    pub const TYPE_COUNTER: u32 = 1 << 4;
    /// It is locked against writing.
    pub const WRITE_LOCKED: u32 = 1 << 11;
    /// Locking lasts until the machine starts anew.
    pub const WRITE_STCLEAR: u32 = 1 << 14;
    /// The index's own authorisation value reads it.
    pub const AUTH_READ: u32 = 1 << 18;
    /// Wrong authorisation values are not counted.
    pub const NO_DA: u32 = 1 << 25;
    /// It was written at least once.
    pub const WRITTEN: u32 = 1 << 29;
}
