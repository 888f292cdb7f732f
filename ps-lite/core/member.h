// SPDX-License-Identifier: Apache-2.0
// What workers and servers share: their session with the scheduler, and how their life ends.
#pragma once
#include <string>

#include "core/hub.h"

namespace ps::core {

class MemberPart : public Part {
 public:
  explicit MemberPart(Hub& hub) : hub_(hub) {}
  void OnWelcome(Link&, const pb::Welcome&) override;
  void OnDown(const Link&, DownReason, const std::string&) override;
  void OnMessage(Link&, const pb::Envelope&, const Buffer&) override;
  void OnView(const View& before) override;
  void OnTick() override;
  Time NextTick() const override;

  NodePhase phase = NodePhase::kJoining;
  Status failure;

 protected:
  virtual void Handle(Link&, const pb::Envelope&, const Buffer&) = 0;
  virtual void Changed(const View& before) = 0;  // a new view, this node in it
  virtual void Over() = 0;                       // the phase has become ended, failed or evicted
  virtual void OnReleased(uint64_t) {}
  virtual void OnMissing(const std::string&) {}
  bool Running() const { return phase == NodePhase::kRunning; }
  void Stop(NodePhase how, Status why);
  Link* SchedulerLink() { return hub_.Reach({Role::kScheduler, 0}); }
  const std::string& down_text() const { return down_; }
  Hub& hub_;

 private:
  Time started_ = -1, heard_ = 0;  // heard: of the scheduler
  std::string down_;               // why its link went down last
};

}  // namespace ps::core
