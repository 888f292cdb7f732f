// SPDX-License-Identifier: Apache-2.0
// Keys, their files, the list of who may come, and what settings make of them.
#include "transport/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zmq.h>

#include <functional>
#include <set>

#include "ps/exception.h"
#include "tests/temp_folder.h"
#include "transport/keygen.h"
#include "transport/setup.h"

namespace ps {
namespace {
Status Fails(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.status();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}
bool Has(const Status& s, const std::string& part) { return s.text.find(part) != std::string::npos; }
#define EXPECT_HAS(status, part) EXPECT_TRUE(Has(status, part)) << (status).text

TEST(Keys, TextsGoBothWays) {
  net::KeyPair pair = net::MakeKeyPair();
  EXPECT_EQ(net::ParseKey(net::KeyText(pair.secret_key), "x"), pair.secret_key);
  char z85[41];
  ASSERT_TRUE(zmq_z85_encode(z85, pair.public_key.data(), 32));
  EXPECT_EQ(net::ParseKey(z85, "x"), pair.public_key);
  EXPECT_EQ(net::PublicOf(pair.secret_key), pair.public_key);
  for (std::string bad : {std::string(), std::string("abc"), std::string(64, 'g'), std::string(64, '0'), std::string(63, 'a'), std::string(40, '~')}) {
    Status s = Fails([&] { net::ParseKey(bad, "FLEXOR_PS_KEY"); });
    EXPECT_EQ(s.code, Code::kArgument);
    EXPECT_HAS(s, "FLEXOR_PS_KEY");
    EXPECT_HAS(s, "ps-keygen");
    EXPECT_TRUE(bad.size() < 8 || !Has(s, bad)) << "a key is not repeated";
  }
}

TEST(Keys, FilesAreTheirOwnersAlone) {
  TempFolder temp;
  net::KeyFile keys{net::MakeKeyPair(), net::MakeKeyPair().public_key};
  std::string path = temp / "node.key";
  net::WriteKeyFile(path, keys);
  struct stat about;
  ASSERT_EQ(stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  net::KeyFile read = net::ReadKeyFile(path);
  EXPECT_EQ(read.own.secret_key, keys.own.secret_key);
  EXPECT_EQ(read.own.public_key, keys.own.public_key);
  EXPECT_EQ(read.scheduler, keys.scheduler);
  EXPECT_EQ(Fails([&] { net::WriteKeyFile(path, keys); }).code, Code::kFile);  // nothing is overwritten
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  Status open = Fails([&] { net::ReadKeyFile(path); });
  EXPECT_EQ(open.code, Code::kRefused);
  EXPECT_HAS(open, "chmod 600 " + path);
  EXPECT_HAS(Fails([&] { net::ReadKeyFile(temp / "none"); }), temp / "none");
}

TEST(Keys, WrongFilesAreNamedWithTheirLine) {
  TempFolder temp;
  int count = 0;
  auto with = [&](const std::string& text) {
    std::string path = temp / ("k" + std::to_string(++count));
    net::WriteSmallFile(path, text, 0600);
    return Fails([&] { net::ReadKeyFile(path); });
  };
  std::string secret = net::KeyText(net::MakeKeyPair().secret_key), other = net::KeyText(net::MakeKeyPair().public_key);
  EXPECT_HAS(with("# nothing\n"), "there is no line `secret");
  EXPECT_HAS(with("secret " + secret + "\nsekret x\n"), "line 2");
  EXPECT_HAS(with("\n\nsecret 12\n"), "line 3");
  EXPECT_HAS(with("public " + other + "\nsecret " + secret + "\n"), "the public key is not the secret key's");
  EXPECT_HAS(with(std::string(5000, '#')), "more than 4096");
}

TEST(Keys, TheListNamesRoles) {
  std::string a = net::KeyText(net::MakeKeyPair().public_key), b = net::KeyText(net::MakeKeyPair().public_key);
  net::AllowList list = net::ParseAllowList("# who\nworker " + a + " ann\r\n\n  server " + b + "\nserver " + a + "\n", "allow");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[net::ParseKey(a, "")], (std::vector<Role>{Role::kWorker, Role::kServer}));
  EXPECT_EQ(list[net::ParseKey(b, "")], std::vector<Role>{Role::kServer});
  EXPECT_HAS(Fails([&] { net::ParseAllowList("worker " + a + "\nworker " + a + "\n", "allow"); }), "allow line 2");
  EXPECT_HAS(Fails([&] { net::ParseAllowList("wrker " + a, "allow"); }), "`wrker` was given");
  EXPECT_HAS(Fails([&] { net::ParseAllowList("worker", "allow"); }), "allow line 1");
}

TEST(Keys, OfAWholeJob) {
  TempFolder temp;
  std::string folder = temp / "keys";
  WriteJobKeys(folder, 2, 1);
  net::KeyFile scheduler = net::ReadKeyFile(folder + "/scheduler.key");
  net::AllowList list = net::ParseAllowList(ReadText(folder + "/allow"), "allow");
  EXPECT_EQ(list.size(), 3u);
  std::set<net::Key> all;
  for (auto& [name, role] : {std::pair<std::string, Role>{"worker-0", Role::kWorker}, {"worker-1", Role::kWorker}, {"server-0", Role::kServer}}) {
    net::KeyFile k = net::ReadKeyFile(folder + "/" + name + ".key");
    EXPECT_EQ(k.scheduler, scheduler.own.public_key);
    EXPECT_EQ(list[k.own.public_key], std::vector<Role>{role});
    all.insert(k.own.public_key);
  }
  EXPECT_EQ(all.size(), 3u);
  EXPECT_EQ(Fails([&] { WriteJobKeys(folder, 2, 1); }).code, Code::kFile);
  EXPECT_EQ(Fails([&] { WriteJobKeys(temp / "x", 0, 1); }).code, Code::kArgument);
  WriteJobKeys(temp / "none", 1, 0);  // the worker's process holds the keys, too
  EXPECT_EQ(net::ParseAllowList(ReadText(temp / "none/allow"), "allow").begin()->second, (std::vector<Role>{Role::kWorker, Role::kServer}));
}

// ---- settings
Settings Of(Role role) {
  Settings s;
  s.role = role;
  s.root_port = role == Role::kScheduler ? 0 : 9091;
  return s;
}

TEST(Setup, SaysWhatIsMissing) {
  EXPECT_HAS(Fails([] { Prepare(Settings()); }), "DMLC_ROLE");
  Settings s = Of(Role::kWorker);
  s.root_port = 0;
  EXPECT_HAS(Fails([&] { Prepare(s); }), "DMLC_PS_ROOT_PORT");
  s = Of(Role::kScheduler);
  s.root_port = 70000;
  EXPECT_HAS(Fails([&] { Prepare(s); }), "70000");
  s = Of(Role::kScheduler);
  s.workers = 0;
  EXPECT_HAS(Fails([&] { Prepare(s); }), "DMLC_NUM_WORKER");
  s = Of(Role::kServer);
  s.slice_bytes = 100;
  EXPECT_HAS(Fails([&] { Prepare(s); }), "FLEXOR_PS_SLICE");
  s = Of(Role::kServer);
  s.root_host = "no.such.host.invalid";
  EXPECT_HAS(Fails([&] { Prepare(s); }), "no.such.host.invalid");
  s = Of(Role::kServer);
  s.interface = "nope0";
  EXPECT_HAS(Fails([&] { Prepare(s); }), "there are: ");
}

TEST(Setup, LeavingTheHostNeedsKeys) {
  Settings s = Of(Role::kWorker);
  s.root_host = "192.0.2.7";
  Status refused = Fails([&] { Prepare(s); });
  EXPECT_EQ(refused.code, Code::kRefused);
  for (const char* part : {"192.0.2.7", "ps-keygen", "FLEXOR_PS_KEY_FILE", "FLEXOR_PS_ALLOW", "127.0.0.1"}) EXPECT_HAS(refused, part);
  s.key_secret = net::KeyText(net::MakeKeyPair().secret_key);
  EXPECT_HAS(Fails([&] { Prepare(s); }), "FLEXOR_PS_SCHEDULER_KEY");
  s.scheduler_key = net::KeyText(net::MakeKeyPair().public_key);
  ps::Setup setup = Prepare(s);
  EXPECT_EQ(setup.node.scheduler, "192.0.2.7:9091");
  EXPECT_TRUE(setup.links.keys.set());
}

TEST(Setup, ContradictionsOfKeys) {
  Settings s = Of(Role::kServer);
  s.scheduler_key = net::KeyText(net::MakeKeyPair().public_key);
  EXPECT_HAS(Fails([&] { Prepare(s); }), "none of this node's own");
  s = Of(Role::kScheduler);
  s.allow_text = "worker " + net::KeyText(net::MakeKeyPair().public_key);
  EXPECT_HAS(Fails([&] { Prepare(s); }), "no key of the scheduler's own");
  s = Of(Role::kScheduler);
  s.key_secret = net::KeyText(net::MakeKeyPair().secret_key);
  EXPECT_HAS(Fails([&] { Prepare(s); }), "FLEXOR_PS_ALLOW");
  s.allow_text = "worker " + net::KeyText(net::MakeKeyPair().public_key);
  EXPECT_EQ(Prepare(s).allowed.size(), 1u);
}

TEST(Setup, JobsDifferByName) {
  Settings a = Of(Role::kScheduler), b = a;
  a.job = "one";
  b.job = "two";
  EXPECT_EQ(Prepare(a).node.job.size(), 16u);
  EXPECT_NE(Prepare(a).node.job, Prepare(b).node.job);
  EXPECT_EQ(Prepare(a).node.job, Prepare(a).node.job);
}

}  // namespace
}  // namespace ps
