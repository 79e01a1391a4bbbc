// Hashed passwords: our own, and those of mosquitto_passwd.

import { expect, test } from 'vitest';
import { hashPassword, type PasswordHash, parsePasswordHash, passwordFits } from './passwords.ts';

test('a_hash_fits_its_password_and_no_other', async () => {
  const hash = parsePasswordHash(await hashPassword('geheim äß')) as PasswordHash;
  expect(await passwordFits(Buffer.from('geheim äß'), hash)).toBe(true);
  expect(await passwordFits(Buffer.from('geheim'), hash)).toBe(false);
  expect(await passwordFits(Buffer.alloc(0), hash)).toBe(false);
});

test('a_line_of_mosquitto_passwd_is_taken', async () => {
  // mosquitto_passwd -b FILE user right (2.0.11)
  const text =
    '$7$101$PCQJ9Wj4GVtvmlDN$jbyRno6xk0K8r6ukeDh/vtVHdK3UfdlO/R/6pOaGvL9MxifqKFylG7E5xzWHNgNe6R+SstniwILOEfaevp4psQ==';
  expect(await passwordFits(Buffer.from('right'), parsePasswordHash(text) as PasswordHash)).toBe(true);
});

test.each([
  '',
  'right',
  '$6$c2FsdHNhbHQ=$aGFzaA==',
  '$7$0$c2FsdHNhbHQ=$x',
  `$7$99999999$c2FsdHNhbHQ=$${'A'.repeat(86)}==`,
])('what_is_no_such_hash_is_refused: %j', (text) => {
  expect(parsePasswordHash(text)).toBe(null);
});
