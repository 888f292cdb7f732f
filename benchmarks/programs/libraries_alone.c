/* SPDX-License-Identifier: Apache-2.0
 * Linked with the libraries that libflexor needs, and doing nothing: what starting a process with them costs. */
int main(void) { return 0; }
