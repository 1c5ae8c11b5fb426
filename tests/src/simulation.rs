//! Deterministic simulation: the real dispatcher, engine and registry, over a store and a world that
//! fail as a seed says, in virtual time.
//!
//! Owns the way of one simulation: lives of the process with crashes between them, until the faults
//! are over and everything has come to rest; then the verdict. One seed gives workload, faults and
//! order. What is checked is the [`witness`]'s business, who shares nothing with the product but the
//! stored formats.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use playbooks::duration::Span;

pub mod disk;
pub mod enumerate;
pub mod fate;
mod life;
pub mod playbooks_made_up;
pub mod provider;
pub mod random;
pub mod sheet;
pub mod store;
pub mod theatre;
mod verdict;
pub mod weather;
pub mod witness;
pub mod world;

use self::disk::{Disk, Left};
use self::fate::{Fate, Timeline};
use self::random::Random;
use self::theatre::{Setting, Theatre};
use self::weather::{Counters, Kind, Weather};
use self::witness::{Known, Witness};
use self::world::World;

/// Lives of one simulation at most.
const LIVES_MAX: usize = 40;
/// Effects that one run may have.
const EFFECTS_PER_RUN: u32 = 200;

/// Known-bad variants, to prove that the rig sees them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Control {
    /// The store says done before it has synced.
    pub acknowledges_without_sync: bool,
    /// Recovery repeats effects that must not be repeated.
    pub repeats_blindly: bool,
}

/// What one simulation is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// What goes wrong.
    pub weather: Weather,
    /// The playbooks and alerts.
    pub setting: Arc<Setting>,
    /// A known-bad variant.
    pub control: Control,
    /// For crash enumeration: at which moment each life dies, and what is left. Without it the
    /// weather decides.
    pub deaths: Option<Vec<(u64, Left)>>,
    /// Whether it says what it does.
    pub trace: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What must not be.
    pub violations: Vec<String>,
    /// What it did, line by line, when it was asked to say so.
    pub trace: Vec<String>,
    /// What happened.
    pub counters: Counters,
    /// Moments of the last life: places where it could have died.
    pub moments: u64,
    /// A number over everything that was stored: equal for equal simulations.
    pub fingerprint: u64,
    /// Time that passed in it.
    pub virtual_time: Duration,
    /// How the runs ended, and which effects were had, for comparisons.
    pub ending: BTreeMap<String, String>,
    /// Whether some outcome stayed unknown.
    pub in_doubt: bool,
}

/// What the parts of one life share.
#[derive(Debug)]
pub struct Shared {
    /// The seed.
    pub seed: u64,
    /// What goes wrong.
    pub weather: Weather,
    /// A known-bad variant.
    pub control: Control,
    /// What is stored.
    pub disk: Arc<Disk>,
    /// What is out there.
    pub world: Arc<World>,
    /// Who watches.
    pub witness: Arc<Witness>,
    /// The time.
    pub timeline: Arc<Timeline>,
    /// When this life ends.
    pub fate: Arc<Fate>,
    /// What happened.
    pub counters: Arc<Counters>,
    /// Until when things go wrong.
    pub storm: Duration,
    /// Numbers for faults.
    random: Mutex<Random>,
    throttled_until: Mutex<Duration>,
}

impl Shared {
    /// A draw.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether things still go wrong.
    pub fn storms(&self) -> bool {
        self.timeline.passed() < self.storm
    }

    /// Whether a kind of fault comes now, in so many of a hundred cases; counted when it does.
    pub fn now_and_then(&self, kind: Kind, percent: u64) -> bool {
        let comes = self.weather.has(kind) && self.storms() && self.draw(|random| random.percent(percent));
        if comes {
            self.counters.count(kind.word());
        }
        comes
    }

    /// Whether the far ends want to be left alone, and how long.
    pub fn throttled(&self) -> Option<Span> {
        let passed = self.timeline.passed();
        let mut until = self
            .throttled_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if passed >= *until && self.now_and_then(Kind::Throttled, 4) {
            *until = passed + Duration::from_secs(self.draw(|random| random.between(1, 40)));
        }
        let left = until.checked_sub(passed).filter(|left| !left.is_zero())?;
        self.counters.count("calls throttled");
        Some(Span::milliseconds(
            i64::try_from(left.as_millis()).unwrap_or(1) + 1,
        ))
    }

    /// Notes what must not be.
    pub fn broken(&self, what: Option<String>) {
        if let Some(what) = what {
            self.witness.broken(what);
        }
    }
}

/// What outlives a process.
struct Stage {
    disk: Arc<Disk>,
    world: Arc<World>,
    witness: Arc<Witness>,
    timeline: Arc<Timeline>,
    counters: Arc<Counters>,
    random: Random,
}

impl Plan {
    /// The simulation of a seed.
    ///
    /// # Errors
    /// Its playbooks cannot be set up.
    pub fn of_seed(theatre: &Theatre, seed: u64) -> Result<Self, String> {
        Ok(Self {
            seed,
            weather: Weather::draw(seed),
            setting: theatre.of_seed(seed)?,
            control: Control::default(),
            deaths: None,
            trace: false,
        })
    }

    /// Plays it.
    pub fn play(&self, theatre: &Theatre) -> Report {
        let witness = Arc::new(Witness::new(Known {
            sheets: self.setting.sheets.clone(),
            contracts: theatre
                .contracts
                .iter()
                .map(|(name, contract)| (name.clone(), Arc::clone(contract)))
                .collect(),
            effects_per_run: EFFECTS_PER_RUN,
            trace: self.trace,
        }));
        let mut stage = Stage {
            disk: Arc::new(Disk::new(self.seed, Arc::clone(&witness))),
            world: Arc::new(World::default()),
            timeline: Arc::new(Timeline::new()),
            counters: Arc::new(Counters::default()),
            random: Random::of(self.seed, "fate"),
            witness,
        };
        let mut senders = life::Senders::of(self);
        let mut moments = 0;
        let mut rested = false;
        for number in 0..LIVES_MAX {
            let shared = self.shared(&stage, number);
            let ended = life::live(theatre, self, &shared, &mut senders, number);
            moments = shared.fate.moments();
            let pause = self.between(&mut stage, &shared, number, &ended);
            match ended {
                Ok(life::Ended::Rested) => {
                    rested = true;
                    break;
                }
                Ok(_) => stage.timeline.pass(pause),
                Err(why) => {
                    stage.witness.broken(why);
                    break;
                }
            }
            if !stage.witness.violations().is_empty() {
                break;
            }
        }
        if !rested && stage.witness.violations().is_empty() {
            stage
                .witness
                .broken(format!("I9: it does not come to rest in {LIVES_MAX} lives"));
        }
        if stage.witness.violations().is_empty() {
            verdict::judge(&stage.disk, &stage.world, &stage.witness, stage.timeline.passed());
        }
        let mut report = verdict::report(
            stage.disk.writes(),
            &stage.world,
            &stage.witness,
            &stage.counters,
            moments,
        );
        report.virtual_time = stage.timeline.passed();
        report
    }

    fn shared(&self, stage: &Stage, number: usize) -> Arc<Shared> {
        let storm = if self.weather.is_calm() {
            Duration::ZERO
        } else {
            Duration::from_secs(Random::of(self.seed, "storm").between(60, 900))
        };
        let salt = u64::try_from(number).unwrap_or(0);
        let mut random = Random::of(self.seed.wrapping_add(salt), "life");
        let dies_at = match &self.deaths {
            Some(deaths) => deaths.get(number).map(|(at, _)| *at),
            None => self.dies_at(number, stage.timeline.passed() < storm, &mut random),
        };
        Arc::new(Shared {
            seed: self.seed,
            weather: self.weather.clone(),
            control: self.control,
            disk: Arc::clone(&stage.disk),
            world: Arc::clone(&stage.world),
            witness: Arc::clone(&stage.witness),
            timeline: Arc::clone(&stage.timeline),
            fate: Arc::new(Fate::new(dies_at)),
            counters: Arc::clone(&stage.counters),
            storm,
            random: Mutex::new(random),
            throttled_until: Mutex::default(),
        })
    }

    /// Early in a life as often as late, since recovery is at its beginning.
    fn dies_at(&self, number: usize, storms: bool, random: &mut Random) -> Option<u64> {
        let kind = if number == 0 {
            Kind::Crash
        } else {
            Kind::CrashAgain
        };
        let wanted = self.weather.has(kind) && storms && (number == 0 || random.percent(60));
        let limit = [4, 16, 64, 200].get(random.place(4)).copied().unwrap_or(16);
        wanted.then(|| random.between(1, limit))
    }

    /// What happens between two lives. Gives how long the process is down.
    fn between(
        &self,
        stage: &mut Stage,
        shared: &Shared,
        number: usize,
        ended: &Result<life::Ended, String>,
    ) -> Duration {
        let died = matches!(ended, Ok(life::Ended::Died));
        if died {
            let kind = if number == 0 {
                Kind::Crash
            } else {
                Kind::CrashAgain
            };
            stage.counters.count(kind.word());
        }
        let left = match &self.deaths {
            Some(deaths) => deaths.get(number).map_or(Left::Everything, |(_, left)| *left),
            None => self.left(&mut stage.random),
        };
        stage
            .witness
            .say(|| format!("life {number} ends: {ended:?}, {left:?}"));
        let left = if matches!(ended, Ok(life::Ended::Rested)) {
            Left::Everything
        } else {
            left
        };
        match stage.disk.crash(left, &mut stage.random) {
            Ok(0) => {}
            Ok(_) if left == Left::Torn => stage.counters.count(Kind::TornBatch.word()),
            Ok(_) => stage.counters.count(Kind::LostUnsynced.word()),
            Err(why) => stage.witness.broken(why),
        }
        let late = self.weather.has(Kind::LateEffect);
        let late = stage
            .world
            .host_is_gone(shared.timeline.passed(), late, &mut stage.random);
        stage.counters.add(Kind::LateEffect.word(), late as u64);
        if self.deaths.is_none() && shared.storms() {
            for (kind, hours) in [(Kind::ClockForward, 1), (Kind::ClockBack, -1)] {
                if self.weather.has(kind) && stage.random.percent(30) {
                    stage.timeline.jump(SignedDuration::from_hours(hours));
                    stage.counters.count(kind.word());
                }
            }
        }
        Duration::from_millis(stage.random.between(10, 90_000))
    }

    fn left(&self, random: &mut Random) -> Left {
        let mut ways = vec![Left::Everything];
        ways.extend(self.weather.has(Kind::LostUnsynced).then_some(Left::Synced));
        ways.extend(self.weather.has(Kind::TornBatch).then_some(Left::Torn));
        ways.get(random.place(ways.len()))
            .copied()
            .unwrap_or(Left::Everything)
    }
}
