# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's breast cancer data by a network, in scikit-learn's own pipeline, cross-validation and search. Needs scikit-learn."""
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import flexor as fx
from flexor import nn

x, y = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=1, stratify=y)

net = nn.Sequential(nn.Dense(16, activation="relu"), nn.Dropout(0.2), nn.Dense(2))
pipe = make_pipeline(StandardScaler(), fx.Classifier(net, seed=1))
search = GridSearchCV(pipe, {"classifier__epochs": [5, 20], "classifier__optimizer": [fx.Adam(0.001), fx.Adam(0.01)]}, cv=3).fit(x_train, y_train)

print("best:", search.best_params_)
print(f"accuracy {search.score(x_test, y_test):.3f}, area under the curve {roc_auc_score(y_test, search.predict_proba(x_test)[:, 1]):.3f}")
