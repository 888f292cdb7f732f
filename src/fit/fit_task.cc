// SPDX-License-Identifier: Apache-2.0
#include "fit/fit_task.h"

#include <cmath>

#include "device/device.h"
#include "exec/autograd.h"

namespace flx {

const Registered& FitOptionsEntry() {
  using F = FitOptions;
  static const Registered& entry = *new Registered(Define<Registered, F>("fit").family("fit")
      .doc("Options of a fit.")
      .attr(&F::epochs, "epochs", "How often to go through the training data.").at_least(1)
      .attr(&F::metrics, "metrics", "Metrics to compute on training and validation data: names with commas between, settings in parentheses.")
      .attr(&F::patience, "patience", "Stop when the validation loss (without validation data: the training loss) was not better for so many epochs. None: never.").at_least(1)
      .attr(&F::checkpoint, "checkpoint", "A path: after each epoch the model is written there, and all that is needed to go on to the same path with `.state` at its end.")
      .attr(&F::resume, "resume", "Go on from the checkpoint, if there is one.")
      .attr(&F::clip_gradient, "clip_gradient", "Scale the gradients of a step so that their common norm is not above this. None: never.").above(0)
      .attr(&F::seed, "seed", "Decides initial values and dropout. None: taken from the process's random stream.").at_least(0)
      .attr(&F::initializer, "initializer", "How parameters begin that the model does not have yet and whose layer says nothing: a name, settings in parentheses. Empty: Xavier.")
      .attr(&F::device, "device", "Where to compute, as `gpu(0)`: the model's parameters are moved there, and each batch is copied there. Several, as `gpu(0), gpu(1)`: each computes its share of a batch's "
            "rows, and the first has the model. Empty: where the parameters are; the CPU, for a new model.")
      .attr(&F::hybridize, "hybridize", "Run each step as one planned operation. False: operator by operator; the same numbers as with passes=none, slower.")
      .attr(&F::passes, "passes", "Which passes improve the plan: empty for the defaults, `none`, names, or names with a sign (`-fuse`).")
      .attr(&F::update_on_store, "update_on_store", "With a store: it updates the weights, and they are pulled; False: gradients are pulled, and each worker updates its own. None: True for a dist store, but "
            "for a synchronous one with clip_gradient or checkpoint.")
      .attr(&F::store_checkpoint, "store_checkpoint", "With a dist store that updates the weights: after so many batches the servers write a checkpoint, to which the job can go back. 0: never.").at_least(0)
      .attr(&F::report_every, "report_every", "Report after so many batches too. 0: after epochs only.").at_least(0));
  return entry;
}

FitTask::FitTask(Ref<Model> model, Ref<Layer> loss, Ref<Optimizer> optimizer, Ref<Iter> train, Ref<Iter> valid, const Settings& options)
    : model_(std::move(model)), loss_(std::move(loss)), optimizer_(std::move(optimizer)), train_(train), valid_(valid),
      options_(*static_cast<const FitOptions*>(ParseSettings(FitOptionsEntry(), options).get())) {
  if (!model_ || !loss_ || !optimizer_ || !train_) Fail(Status::kArgument, "fit", "model, loss, optimizer and training data must be given; one is null.");
  if (!loss_->def.loss) Fail(Status::kArgument, "fit", "expected a loss, given the layer ", loss_->def.name, ". SoftmaxCrossEntropyLoss for classes, L2Loss for numbers?");
  if (train == valid) Fail(Status::kArgument, "fit", "training and validation data must be two iterators, given one for both.");
  if (options_.resume && options_.checkpoint.empty()) Fail(Status::kArgument, "fit", "resume=True needs the option `checkpoint`, the path to go on from.");
  if (options_.device.empty()) device_ = model_->params()->device();
  auto devices = ParseDevices(options_.device);
  if (!devices.empty() && !devices[0]->cpu()) device_ = devices[0];
  if (devices.size() > 1) replicas_ = std::make_unique<Replicas>(devices);
  if (model_->layer()->AsksHost()) {
    RefuseHosted("fit", device_);
    hosted_ = std::make_unique<HostedLayer>(model_->layer(), loss_);
  } else if (options_.hybridize) {
    HybridOptions hybrid;
    hybrid.passes = options_.passes;
    hybrid_ = Make<HybridLayer>(model_->layer()->Copy(), loss_, hybrid);
  }
  if (!options_.initializer.empty()) initializer_ = Initializer::Parse(options_.initializer);
  train_scores_.metrics = MakeMetrics(options_.metrics);
  valid_scores_.metrics = MakeMetrics(options_.metrics);
  columns_ = {"epoch", "loss"};
  auto names = train_scores_.metrics->names();
  for (auto& n : names) {
    for (auto& c : columns_)
      if (c == n) Fail(Status::kArgument, "fit", "two columns would be named `", n, "`. The loss is always there.");
    columns_.push_back(n);
  }
  if (valid_) {
    columns_.push_back("valid.loss");
    for (auto& n : names) columns_.push_back("valid." + n);
  }
  columns_.push_back("seconds");
}
FitTask::~FitTask() { DetachGradients(); }

void FitTask::SetStore(Ref<Store> store) {
  if (phase_ != Phase::kStart) Fail(Status::kState, "fit", "it has begun already. Give it a store before its first step.");
  bool needs_worker = store->synchronous() && (options_.clip_gradient || !options_.checkpoint.empty());
  bool on_store = options_.update_on_store.value_or(store->distributed() && !needs_worker);
  if (!on_store && !store->synchronous()) Fail(Status::kArgument, "fit", "update_on_store=False needs a synchronous store: in a ", store->def.name, " store no round has the gradients of all workers.");
  if (on_store && options_.clip_gradient && store->synchronous())
    Fail(Status::kArgument, "fit", "clip_gradient needs the gradients of all workers, and with update_on_store=True no worker sees them. Leave update_on_store out.");
  if (options_.store_checkpoint && !(store->distributed() && on_store))
    Fail(Status::kArgument, "fit", "store_checkpoint needs a dist store that updates the weights, given ", store->def.name, on_store ? "." : " with update_on_store=False.");
  exchange_ = std::make_unique<Exchange>(std::move(store), on_store);
}

void FitTask::DetachGradients() {
  for (auto& a : trained_) AttachGrad(a, GradReq::kNull);
  trained_.clear();
}

void FitTask::Scores::Add(const NDArray& losses, const std::vector<NDArray>& labels, const std::vector<NDArray>& outputs) {
  loss.Add(losses);
  metrics->Update(ScoredLabels(labels, outputs.size()), outputs, true);
}
bool FitTask::Scores::Read(const Deadline& d) {
  double v;
  if (!loss.Read(d, &v)) return false;
  values["loss"] = v;
  auto names = metrics->names();
  for (size_t i = 0; i < names.size(); ++i) {
    if (!metrics->Value(int(i), d.left(), &v)) return false;
    values[names[i]] = v;
  }
  return true;
}

Event FitTask::Go(const Deadline& d) {
  for (;;) {
    try {
      return Run(d);
    } catch (const Error& e) {
      if (e.status() != Status::kRolledBack || !exchange_) throw;
      BeginReturn(e);
    }
  }
}
Event FitTask::Run(const Deadline& d) {
  for (;;) {
    if (stopped() && (phase_ == Phase::kTrain || phase_ == Phase::kCut || phase_ == Phase::kSkip || phase_ == Phase::kValid || phase_ == Phase::kReport || phase_ == Phase::kStart || phase_ == Phase::kStandardize)) phase_ = Phase::kLeave, work_ = nullptr;
    switch (phase_) {
      case Phase::kStart:
        if (exchange_ && !exchange_->Join(d)) return Event::kPending;
        Start();
        break;
      case Phase::kStandardize:
      case Phase::kTrain:
      case Phase::kValid: {
        bool train = phase_ == Phase::kTrain, look = phase_ == Phase::kStandardize;
        BatchSource& source = train || look ? train_ : valid_;
        if (!work_) {
          if (!ahead_.Wait(d) || !source.Ready(d.left())) return Event::kPending;
          if (auto ask = source.Wanted()) return Ask(std::move(*ask));
          auto work = std::make_unique<Work>();
          if (!source.Next(&work->batch)) {
            phase_ = look ? Phase::kStandardizeEnd : train ? Phase::kTrainEnd : Phase::kValidEnd;
            break;
          }
          work_ = std::move(work);
        }
        if (train && !prepared_) PrepareParams(work_->batch);
        if (!look && !(train && replicas_)) work_->batch.MoveTo(device_);
        if (train && exchange_ && !exchange_->Begin(d)) return Event::kPending;
        if (train && replicas_ && !replicas_->prepared()) replicas_->Prepare(model_->params());
        if (train && !work_->loss && !work_->run && Marking()) MarkStep();
        if (look) LookAt(work_->batch);
        else if (!Advance(train)) return Event::kHost;
        work_ = nullptr;
        if (train && options_.report_every && batch_ % options_.report_every == 0) phase_ = Phase::kReport;
        if (train && options_.store_checkpoint && exchange_->rank() == 0 && steps_ % options_.store_checkpoint == 0) phase_ = Phase::kCut;
        else if (phase_ != Phase::kReport && d.over()) return Event::kPending;
        break;
      }
      case Phase::kCut:
        if (!exchange_->Cut(d)) return Event::kPending;
        phase_ = options_.report_every && batch_ % options_.report_every == 0 ? Phase::kReport : Phase::kTrain;
        break;
      case Phase::kStandardizeEnd:
        if (!standardizing_->Finish(model_->params().get(), d)) return Event::kPending;
        standardizing_.reset();
        phase_ = Phase::kEpochEnd;
        break;
      case Phase::kReport: {
        double mean;
        if (!train_scores_.loss.Read(d, &mean)) return Event::kPending;
        train_scores_.values["loss"] = mean;
        phase_ = Phase::kTrain;
        return Event::kBatch;
      }
      case Phase::kTrainEnd:
        if (batch_ == 0) Fail(Status::kArgument, "fit", "the training data has no batch", epoch_ ? flx::Text(" in epoch ", epoch_ + 1, ". Does its source begin anew?") : std::string("."));
        if (!train_scores_.Read(d)) return Event::kPending;
        train_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - epoch_start_).count();
        if (valid_) valid_.Begin(0);
        phase_ = valid_ ? Phase::kValid : Phase::kCheckpoint;
        if (!valid_) EndEpoch();
        break;
      case Phase::kValidEnd:
        if (!valid_scores_.Read(d)) return Event::kPending;
        EndEpoch();
        phase_ = Phase::kCheckpoint;
        break;
      case Phase::kCheckpoint:
        if (!options_.checkpoint.empty() && !WriteCheckpoint(d)) return Event::kPending;
        phase_ = Phase::kEpochEnd;
        return Event::kEpoch;
      case Phase::kEpochEnd:
        if (stopped() || epoch_ >= options_.epochs || (options_.patience && since_best_ >= *options_.patience)) {
          phase_ = Phase::kLeave;
        } else {
          BeginEpoch();
        }
        break;
      case Phase::kReturn:
        if (!exchange_->Pulled(d)) return Event::kPending;
        EndReturn();
        break;
      case Phase::kSkip:
        if (Event e = Skip(d); e != Event::kDone) return e;
        phase_ = Phase::kTrain;
        break;
      case Phase::kLeave:  // the other workers go on without this one
        if (exchange_ && !exchange_->Leave(d)) return Event::kPending;
        phase_ = Phase::kDone;
        break;
      case Phase::kDone:
        DetachGradients();
        ahead_.Clear();
        return Event::kDone;
    }
  }
}

void FitTask::Start() {
  if (options_.store_checkpoint && !exchange_) Fail(Status::kArgument, "fit", "store_checkpoint needs a dist store (flx_fit_store), and the fit has none.");
  seed_ = options_.seed ? uint64_t(*options_.seed) : NextTicket().ticket ^ NextTicket().seed;
  // each worker drops units of its own; what begins at random is the same for all
  tickets_ = {exchange_ ? seed_ ^ uint64_t(exchange_->rank()) * 0x9e3779b97f4a7c15 : seed_, 0};
  bool resumed = options_.resume && ReadCheckpoint();
  if (!resumed && train_.batches()) {
    std::lock_guard<std::mutex> lock(optimizer_->mutex());
    // steps made by an earlier fit with this optimizer stay counted
    optimizer_->SetLength(int64_t(optimizer_->Get("step")) + train_.batches() * options_.epochs);
  }
  phase_ = Phase::kEpochEnd;  // which begins the next epoch, or ends a fit that a checkpoint says is over
  if (epoch_ >= options_.epochs || !standardizing_.emplace(*model_)) return;
  train_.Begin(epoch_);
  phase_ = Phase::kStandardize;
}
void FitTask::LookAt(const Batch& batch) {
  if (NDArray last = standardizing_->Add(*model_, batch)) ahead_.Add(last);
}

void FitTask::BeginEpoch() {
  train_.Begin(epoch_);
  train_scores_.Reset(), valid_scores_.Reset();
  batch_ = rows_ = 0;
  epoch_start_ = std::chrono::steady_clock::now();
  phase_ = Phase::kTrain;
}

void FitTask::PrepareParams(const Batch& first) {
  std::vector<Shape> shapes;
  for (auto& a : first.data) shapes.push_back(a->shape);
  auto params = model_->params();
  auto decls = DeclareParams(*model_->layer(), shapes, IsFloat(first.data[0]->dtype) ? first.data[0]->dtype : DType::kFloat32);
  params->MoveTo(device_);
  InitMissing(params.get(), decls, initializer_.get(), seed_, device_);
  for (auto& d : decls) {
    NDArray a = params->Get(d.name);
    if (!d.trainable || GradOf(*a)) continue;
    AttachGrad(a, GradReq::kWrite);
    trained_.push_back(std::move(a));
  }
  if (exchange_) exchange_->Prepare(params, optimizer_);
  prepared_ = true;
}

NDArray FitTask::Split(std::vector<NDArray> results, std::vector<NDArray>* outputs) const {
  auto losses = std::ptrdiff_t(loss_->OutputCount(int(results.size())));
  outputs->assign(results.begin() + losses, results.end());
  return results[0];
}
NDArray FitTask::Forward(int mode, const Batch& batch, const Params& params, const Device* device, std::vector<NDArray>* outputs) {
  if (hybrid_) {
    std::vector<NDArray> x = batch.data;
    x.insert(x.end(), batch.labels.begin(), batch.labels.end());
    try {
      return Split(hybrid_->Run(mode, params, x, int(batch.labels.size())), outputs);
    } catch (const Error& e) {
      if (e.status() != Status::kUnsupported) throw;
      hybrid_ = nullptr;  // something in it cannot be planned
    }
  }
  *outputs = RunLayer(*model_->layer(), mode, params, batch.data);
  EagerBuilder b(mode, device);
  NoParams none;
  std::vector<Val> x;
  for (auto& a : *outputs) x.push_back(b.Add(a));
  for (auto& a : batch.labels) x.push_back(b.Add(a));
  return b.array(LayerContext(b, none).Run(*loss_, x)[0]);
}
NDArray FitTask::Step(const Batch& batch, const Params& params, const Device* device, std::vector<NDArray>* outputs) {
  if (hybrid_) {
    std::vector<NDArray> x = batch.data;
    x.insert(x.end(), batch.labels.begin(), batch.labels.end());
    try {
      return Split(hybrid_->Step(params, x, int(batch.labels.size())), outputs);
    } catch (const Error& e) {
      if (e.status() != Status::kUnsupported) throw;
      hybrid_ = nullptr;
    }
  }
  NDArray loss = Forward(kRecord | kTrain, batch, params, device, outputs);
  // the gradient of the mean over the batch
  if (loss->size()) Backward({loss}, {Array::Filled(loss->shape, loss->dtype, 1.0 / double(loss->size()), device)}, 0);
  return loss;
}
NDArray FitTask::StepOnAll(Batch* batch, std::vector<NDArray>* outputs) {
  auto shares = replicas_->Split(*batch);
  std::vector<NDArray> losses;
  std::vector<std::vector<NDArray>> parts;  // of each output
  for (auto& s : shares) {
    std::vector<NDArray> own;
    losses.push_back(Step(s.batch, *s.params, s.device, &own));
    parts.resize(own.size());
    for (size_t i = 0; i < own.size(); ++i) parts[i].push_back(own[i]);
  }
  replicas_->SumGradients(shares);
  outputs->clear();
  for (auto& p : parts) outputs->push_back(replicas_->Gather(p));
  for (auto& l : batch->labels) l = CopyOf(l, device_);  // for the metrics
  return replicas_->Gather(losses);
}

bool FitTask::Compute(bool train) {
  Work& w = *work_;
  TicketScope scope(&tickets_);
  if (!hosted_) {
    const Params& params = *model_->params();
    w.loss = !train ? Forward(kPlain, w.batch, params, device_, &w.outputs) : replicas_ ? StepOnAll(&w.batch, &w.outputs) : Step(w.batch, params, device_, &w.outputs);
    return true;
  }
  if (!w.run) w.run = hosted_->Start(train ? kRecord | kTrain : kPlain, *model_->params(), w.batch.data, w.batch.labels, train);
  if (!w.run->Go()) return Ask(w.run->Wanted()), false;
  w.loss = Split(w.run->results(), &w.outputs);
  w.run = nullptr;
  return true;
}
bool FitTask::Advance(bool train) {
  Work& w = *work_;
  Scores& scores = train ? train_scores_ : valid_scores_;
  if (!w.loss) {
    if (!Compute(train)) return false;
    if (train) {
      Update();
      ++batch_, rows_ += w.batch.rows;
    }
    scores.Add(w.loss, w.batch.labels, w.outputs);
    ahead_.Add(w.loss);
  }
  auto ask = WantedMetric(scores.metrics.get(), &w.metric, w.batch, w.outputs);
  if (ask) Ask(std::move(*ask));
  return !ask;
}

void FitTask::Update() {
  bool on_store = exchange_ && exchange_->on_store();
  if (exchange_ && !on_store) exchange_->Gradients(work_->batch.rows);
  if (options_.clip_gradient) ClipGradients();
  std::lock_guard<std::mutex> lock(optimizer_->mutex());
  if (on_store) exchange_->Weights(work_->batch.rows), optimizer_->CountStep(), ++steps_;
  else optimizer_->Step(*model_->params());
  if (replicas_) replicas_->GiveWeights();
}

void FitTask::ClipGradients() {
  NDArray total;
  for (auto& a : trained_) {
    NDArray square = Invoke1("_np_sum", {Invoke1("square", {Invoke1("Cast", {GradOf(*a)}, {{"dtype", "float64"}})})});
    total = total ? Invoke1("elemwise_add", {total, square}) : square;
  }
  if (!total) return;
  // c / max(norm, c): exactly 1 where nothing is to be clipped
  std::string c = flx::Text(*options_.clip_gradient);
  NDArray factor = Invoke1("_rdiv_scalar", {Invoke1("_maximum_scalar", {Invoke1("sqrt", {total})}, {{"scalar", c}})}, {{"scalar", c}});
  static const auto& multiply = Forever(Call::New("broadcast_mul"));
  for (auto& a : trained_) {
    NDArray g = GradOf(*a), f = Invoke1("Cast", {factor}, {{"dtype", DTypeName(g->dtype)}});
    Array *in[] = {g.get(), f.get()}, *target = g.get();
    InvokeInto(*multiply, kPlain, in, 2, nullptr, 0, &target, 1);
  }
}

void FitTask::EndEpoch() {
  ++epoch_;
  std::vector<double> row = {double(epoch_)};
  auto names = train_scores_.metrics->names();
  row.push_back(train_scores_.values["loss"]);
  for (auto& n : names) row.push_back(train_scores_.values[n]);
  if (valid_) {
    row.push_back(valid_scores_.values["loss"]);
    for (auto& n : names) row.push_back(valid_scores_.values[n]);
  }
  row.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - epoch_start_).count());
  history_.push_back(std::move(row));
  Watch((valid_ ? valid_scores_ : train_scores_).values["loss"]);
}
void FitTask::Watch(double loss) {
  if (loss < best_) best_ = loss, since_best_ = 0;
  else ++since_best_;
}

double FitTask::Number(std::string_view field) const {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  auto find = [&](const std::map<std::string, double>& values, std::string_view name) {
    auto it = values.find(std::string(name));
    return it == values.end() ? nan : it->second;
  };
  bool between = phase_ == Phase::kEpochEnd || phase_ == Phase::kCheckpoint || phase_ == Phase::kLeave || phase_ == Phase::kDone;
  if (field == "epoch") return double(between && epoch_ ? epoch_ : epoch_ + 1);
  if (field == "epochs") return double(options_.epochs);
  if (field == "batch") return double(batch_);
  if (field == "batches") return train_.batches() ? double(train_.batches()) : nan;
  if (field == "seconds") {
    if (between) return history_.empty() ? nan : history_.back().back();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - epoch_start_).count();
  }
  if (field == "samples_per_second") {
    double t = between ? train_seconds_ : std::chrono::duration<double>(std::chrono::steady_clock::now() - epoch_start_).count();
    return t > 0 ? double(rows_) / t : nan;
  }
  if (field == "learning_rate") {
    std::lock_guard<std::mutex> lock(optimizer_->mutex());
    return optimizer_->Get("rate");
  }
  if (field == "first") return Task::Number(field);
  std::vector<std::string> known = {"first", "epoch", "epochs", "batch", "batches", "seconds", "samples_per_second", "learning_rate"};
  for (auto& c : columns_) {
    if (c == field) return field.substr(0, 6) == "valid." ? find(valid_scores_.values, field.substr(6)) : find(train_scores_.values, field);
    known.push_back(c);
  }
  Fail(Status::kName, "fit", "there is no number `", field, "`.", DidYouMean(field, known), " There are: ", Join(known, ", "), ".");
}

std::string FitTask::Text(std::string_view field) const {
  if (field != "progress") return Task::Text(field);
  bool between = phase_ == Phase::kEpochEnd || phase_ == Phase::kLeave || phase_ == Phase::kDone;
  std::string s = flx::Text("epoch ", int64_t(Number("epoch")), "/", options_.epochs);
  if (!between) {
    s += flx::Text("  batch ", batch_);
    if (train_.batches()) s += flx::Text("/", train_.batches());
    double loss = Number("loss");
    return std::isnan(loss) ? s : flx::Text(s, "  loss ", NumberText(loss, 4));
  }
  auto names = train_scores_.metrics->names();
  s += "  loss " + NumberText(Number("loss"), 4);
  for (size_t i = 0; i < names.size(); ++i) s += flx::Text("  ", names[i], " ", NumberText(Number(names[i]), train_scores_.metrics->digits(int(i))));
  if (valid_ && names.empty()) s += "  valid.loss " + NumberText(Number("valid.loss"), 4);
  for (size_t i = 0; valid_ && i < names.size(); ++i)
    s += flx::Text("  valid.", names[i], " ", NumberText(Number("valid." + names[i]), train_scores_.metrics->digits(int(i))));
  return flx::Text(s, "  ", FixedText(Number("seconds"), 1), " s");
}

NDArray FitTask::History() const {
  std::vector<double> all;
  for (auto& row : history_) all.insert(all.end(), row.begin(), row.end());
  return FromHost(all.data(), int64_t(all.size() * sizeof(double)), DType::kFloat64, false, {int64_t(history_.size()), int64_t(columns_.size())}, DType::kFloat64);
}

Ref<Task> StartFit(Ref<Model> model, Ref<Layer> loss, Ref<Optimizer> optimizer, Ref<Iter> train, Ref<Iter> valid, const Settings& options) {
  return Make<FitTask>(std::move(model), std::move(loss), std::move(optimizer), std::move(train), std::move(valid), options);
}

}  // namespace flx
