//! Privacy protocols: CBC-DES (RFC 3414 §8) and CFB-AES (RFC 3826).

use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use aes::{Aes128, Aes192, Aes256};
use des::Des;

use super::Key;

/// A privacy protocol of users.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PrivacyProtocol {
    Des,
    Aes128,
    Aes192,
    Aes256,
}

/// What an initialization vector is made of, besides the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrivacyContext {
    pub(crate) engine_boots: i32,
    pub(crate) engine_time: i32,
    /// The content of `msgPrivacyParameters`.
    pub(crate) salt: [u8; 8],
}

impl PrivacyContext {
    /// RFC 3826 §3.1.2.1: boots, time and salt.
    fn aes_iv(&self) -> [u8; 16] {
        let mut iv = [0; 16];
        let parts = self.engine_boots.to_be_bytes().into_iter();
        let parts = parts.chain(self.engine_time.to_be_bytes()).chain(self.salt);
        for (place, octet) in iv.iter_mut().zip(parts) {
            *place = octet;
        }
        iv
    }

    /// RFC 3414 §8.1.1.1: the second half of the key, xored with the salt.
    fn des_iv(&self, key: &Key) -> [u8; 8] {
        let mut iv = self.salt;
        for (place, octet) in iv.iter_mut().zip(key.octets().iter().skip(8)) {
            *place ^= octet;
        }
        iv
    }
}

/// The key and the vector cannot make a cipher, or the octets no blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CipherError;

const DES_BLOCK: usize = 8;

impl PrivacyProtocol {
    pub const ALL: [Self; 4] = [Self::Des, Self::Aes128, Self::Aes192, Self::Aes256];

    /// The length of a localized key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Des | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// The salt of a message (RFC 3414 §8.1.1.1, RFC 3826 §3.1.2.1); `number` is another each time.
    pub(crate) fn salt(self, engine_boots: i32, number: u64) -> [u8; 8] {
        let mut salt = number.to_be_bytes();
        if self == Self::Des {
            for (place, octet) in salt.iter_mut().zip(engine_boots.to_be_bytes()) {
                *place = octet;
            }
        }
        salt
    }

    /// How many octets to append before [`Self::encrypt`].
    pub(crate) fn padding(self, len: usize) -> usize {
        match self {
            Self::Des => len.next_multiple_of(DES_BLOCK) - len,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 0,
        }
    }

    pub(crate) fn encrypt(
        self,
        key: &Key,
        context: &PrivacyContext,
        octets: &mut [u8],
    ) -> Result<(), CipherError> {
        let iv = context.aes_iv();
        match self {
            Self::Des => {
                let key_half = key.octets().get(..8).ok_or(CipherError)?;
                let mut cipher =
                    cbc::Encryptor::<Des>::new_from_slices(key_half, &context.des_iv(key))
                        .map_err(|_| CipherError)?;
                for block in octets.chunks_mut(DES_BLOCK) {
                    cipher.encrypt_block(block.try_into().map_err(|_| CipherError)?);
                }
            }
            Self::Aes128 => cfb_mode::Encryptor::<Aes128>::new_from_slices(key.octets(), &iv)
                .map_err(|_| CipherError)?
                .encrypt(octets),
            Self::Aes192 => cfb_mode::Encryptor::<Aes192>::new_from_slices(key.octets(), &iv)
                .map_err(|_| CipherError)?
                .encrypt(octets),
            Self::Aes256 => cfb_mode::Encryptor::<Aes256>::new_from_slices(key.octets(), &iv)
                .map_err(|_| CipherError)?
                .encrypt(octets),
        }
        Ok(())
    }

    pub(crate) fn decrypt(
        self,
        key: &Key,
        context: &PrivacyContext,
        octets: &mut [u8],
    ) -> Result<(), CipherError> {
        let iv = context.aes_iv();
        match self {
            Self::Des => {
                let key_half = key.octets().get(..8).ok_or(CipherError)?;
                let mut cipher =
                    cbc::Decryptor::<Des>::new_from_slices(key_half, &context.des_iv(key))
                        .map_err(|_| CipherError)?;
                for block in octets.chunks_mut(DES_BLOCK) {
                    cipher.decrypt_block(block.try_into().map_err(|_| CipherError)?);
                }
            }
            Self::Aes128 => cfb_mode::Decryptor::<Aes128>::new_from_slices(key.octets(), &iv)
                .map_err(|_| CipherError)?
                .decrypt(octets),
            Self::Aes192 => cfb_mode::Decryptor::<Aes192>::new_from_slices(key.octets(), &iv)
                .map_err(|_| CipherError)?
                .decrypt(octets),
            Self::Aes256 => cfb_mode::Decryptor::<Aes256>::new_from_slices(key.octets(), &iv)
                .map_err(|_| CipherError)?
                .decrypt(octets),
        }
        Ok(())
    }
}
